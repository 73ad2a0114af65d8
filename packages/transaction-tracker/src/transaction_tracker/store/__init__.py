"""What must outlive the program: transactions, their events, and the blocks that decided them."""

from transaction_tracker.store.book import Book
from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.process import STORE, Store
from transaction_tracker.store.work import Step, Stored

__all__ = ["STORE", "Book", "Step", "Store", "StoreError", "Stored"]
