"""The work in DuckDB: python -c SCRIPT FILE on|first"""
import json
import sys
import time

import duckdb

started = time.monotonic()
path, formulation = sys.argv[1], sys.argv[2]
db = duckdb.connect()
db.execute("SET threads = 2; SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
quoted = "'" + path.replace("'", "''") + "'"
if path.endswith(".parquet"):
    events = f"(SELECT source, id, subject, type, time, quantity FROM read_parquet({quoted}))"
else:
    events = f"""(
        SELECT source, id, subject, type, time, data.quantity AS quantity
        FROM read_json({quoted}, format = 'newline_delimited', columns = {{
            id: 'VARCHAR', source: 'VARCHAR', type: 'VARCHAR', subject: 'VARCHAR', time: 'TIMESTAMP',
            data: 'STRUCT(quantity BIGINT)'}}))"""
unique = {
    "on": f"SELECT DISTINCT ON (source, id) subject, type, time, quantity FROM {events}",
    "first": f"""
        SELECT first(subject) AS subject, first(type) AS type, first(time) AS time, first(quantity) AS quantity
        FROM {events} GROUP BY source, id""",
}[formulation]
cells = f"""
    SELECT subject, type, date_trunc('hour', time) AS hour, count(*) AS count, sum(quantity) AS sum
    FROM ({unique}) GROUP BY ALL"""
count, total, groups = db.execute(f"SELECT sum(count), sum(sum), count(*) FROM ({cells})").fetchone()
print(json.dumps({
    "rows": int(count),
    "count": int(count),
    "sum": int(total),
    "groups": groups,
    "seconds": round(time.monotonic() - started, 3),
}))
