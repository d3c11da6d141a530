"""The work in ClickHouse, embedded by chDB: python -c SCRIPT FILE any|limit"""
import json
import sys
import time

import chdb

started = time.monotonic()
path, formulation = sys.argv[1], sys.argv[2]
quoted = "'" + path.replace("\\", "\\\\").replace("'", "\\'") + "'"
if path.endswith(".parquet"):
    events = f"""(
        SELECT assumeNotNull(source) AS source, assumeNotNull(id) AS id, assumeNotNull(subject) AS subject,
            assumeNotNull(type) AS type, assumeNotNull(time) AS time, assumeNotNull(quantity) AS quantity
        FROM file({quoted}, Parquet))"""
else:
    events = f"""(
        SELECT source, id, subject, type, time, data.quantity AS quantity
        FROM file({quoted}, JSONEachRow,
            'id String, source String, type String, subject String, time DateTime64(3, \\'UTC\\'),
             data Tuple(quantity Int64)'))"""
unique = {
    "any": f"""
        SELECT any(subject) AS subject, any(type) AS type, any(time) AS time, any(quantity) AS quantity
        FROM {events} GROUP BY source, id""",
    "limit": f"SELECT subject, type, time, quantity FROM {events} LIMIT 1 BY source, id",
}[formulation]
cells = f"""
    SELECT subject, type, toStartOfHour(time) AS hour, count() AS count, sum(quantity) AS sum
    FROM ({unique}) GROUP BY subject, type, hour"""
query = f"""
    SELECT sum(count), sum(sum), count() FROM ({cells})
    SETTINGS max_threads = 2, session_timezone = 'UTC', date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1,
        input_format_json_ignore_unknown_keys_in_named_tuple = 1"""
count, total, groups = str(chdb.query(query, "TabSeparated")).split()
print(json.dumps({
    "rows": int(count),
    "count": int(count),
    "sum": int(total),
    "groups": int(groups),
    "seconds": round(time.monotonic() - started, 3),
}))
