package tsdb

import promtsdb "github.com/prometheus/prometheus/tsdb"

// Inner lets tests compact and load as no caller can.
func (db *DB) Inner() *promtsdb.DB { return db.inner }
