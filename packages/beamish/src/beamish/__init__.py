"""OTP for asyncio: GenServer, Registry, DynamicSupervisor and what surrounds them."""
