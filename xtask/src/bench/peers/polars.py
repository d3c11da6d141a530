"""The work in Polars: python -c SCRIPT FILE streaming|memory"""
import json
import os
import sys
import time

os.environ["POLARS_MAX_THREADS"] = "2"
import polars as pl

started = time.monotonic()
path, formulation = sys.argv[1], sys.argv[2]
if path.endswith(".parquet"):
    events = pl.scan_parquet(path)
else:
    text = pl.String
    events = pl.scan_ndjson(path, schema={
        "id": text, "source": text, "type": text, "subject": text, "time": text,
        "data": pl.Struct({"quantity": pl.Int64}),
    }).with_columns(
        pl.col("data").struct.field("quantity"),
        pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.3fZ", time_unit="ms"),
    )
cells = (
    events.select("source", "id", "subject", "type", "quantity", pl.col("time").dt.truncate("1h").alias("hour"))
    .unique(subset=["source", "id"], keep="any", maintain_order=False)
    .group_by("subject", "type", "hour")
    .agg(pl.len().alias("count"), pl.col("quantity").sum().alias("sum"))
    .select(pl.col("count").sum(), pl.col("sum").sum(), pl.len().alias("groups"))
)
found = cells.collect(engine={"streaming": "streaming", "memory": "in-memory"}[formulation]).row(0)
print(json.dumps({
    "rows": int(found[0]),
    "count": int(found[0]),
    "sum": int(found[1]),
    "groups": int(found[2]),
    "seconds": round(time.monotonic() - started, 3),
}))
