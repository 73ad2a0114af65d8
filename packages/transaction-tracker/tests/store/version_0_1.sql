CREATE TABLE transactions (
    id VARCHAR(200) NOT NULL,
    required INTEGER NOT NULL,
    state VARCHAR(20) NOT NULL,
    version INTEGER NOT NULL,
    slot VARCHAR(200),
    content VARCHAR(64),
    block_number INTEGER,
    block_hash VARCHAR(100),
    succeeded BOOLEAN,
    fee VARCHAR(160),
    failure TEXT,
    superseded_by VARCHAR(200),
    reason VARCHAR(20),
    error TEXT,
    created_at FLOAT NOT NULL,
    updated_at FLOAT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT state_is_known CHECK (state in ('registered', 'pending', 'mined', 'mined_reverted', 'superseded', 'confirmed', 'failed', 'replaced')),
    CONSTRAINT reason_is_known CHECK (reason in ('repriced', 'cancelled', 'replaced'))
);

CREATE INDEX open_transactions ON transactions (id) WHERE state not in ('confirmed', 'failed', 'replaced');

CREATE TABLE blocks (
    source VARCHAR(100) NOT NULL,
    number INTEGER NOT NULL,
    hash VARCHAR(100) NOT NULL,
    parent VARCHAR(100) NOT NULL,
    PRIMARY KEY (source, number)
);

CREATE TABLE cursors (
    source VARCHAR(100) NOT NULL,
    number INTEGER,
    hash VARCHAR(100),
    PRIMARY KEY (source)
);

CREATE TABLE events (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    transaction_id VARCHAR(200) NOT NULL,
    version INTEGER NOT NULL,
    previous VARCHAR(20) NOT NULL,
    state VARCHAR(20) NOT NULL,
    block_number INTEGER,
    block_hash VARCHAR(100),
    superseded_by VARCHAR(200),
    reason VARCHAR(20),
    recorded_at FLOAT NOT NULL,
    UNIQUE (transaction_id, version)
);

