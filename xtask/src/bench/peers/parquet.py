"""Turns a file of CloudEvents into Parquet: python -c SCRIPT IN.ndjson OUT.parquet [1.0|2.0] [ms|us]"""
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

source, out = sys.argv[1], sys.argv[2]
pages = sys.argv[3] if len(sys.argv) > 3 else "1.0"
unit = sys.argv[4] if len(sys.argv) > 4 else "ms"

schema = pa.schema([
    ("id", pa.string()),
    ("source", pa.string()),
    ("type", pa.string()),
    ("subject", pa.string()),
    ("project", pa.string()),
    ("time", pa.timestamp(unit)),
    ("quantity", pa.int64()),
])
db = duckdb.connect()
db.execute("SET threads = 2; SET preserve_insertion_order = true; SET TimeZone = 'UTC'")
rows = db.sql(
    """
    SELECT id, source, type, subject, data.project AS project, time, data.quantity AS quantity
    FROM read_json(?, format = 'newline_delimited', columns = {
        id: 'VARCHAR', source: 'VARCHAR', type: 'VARCHAR', subject: 'VARCHAR', time: 'TIMESTAMP',
        data: 'STRUCT(quantity BIGINT, project VARCHAR)'})
    """,
    params=[source],
)
written = 0
with pq.ParquetWriter(out, schema, compression="zstd", data_page_version=pages) as writer:
    batches = []

    def flush():
        table = pa.Table.from_batches(batches).cast(schema)
        writer.write_table(table, row_group_size=1 << 20)
        batches.clear()
        return table.num_rows

    for batch in rows.to_arrow_reader(1 << 18):
        batches.append(batch)
        if sum(b.num_rows for b in batches) >= 1 << 20:
            written += flush()
    if batches:
        written += flush()
print(written)
