"""The work in PostgreSQL, on a server of its own: python -c SCRIPT FILE durable

Each batch of lines is copied into a temporary table; what is new by (source, id) is kept and added to the cells, and
committed with the defaults: a sync a commit. Times the batches, not the making of the server.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

path = sys.argv[1]
BATCH_BYTES = 64 << 20

# Debian's `psql` on the path is a wrapper that looks for a cluster of its own.
places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
places += [pathlib.Path(p) for p in os.environ["PATH"].split(os.pathsep)]


def program(name):
    found = next((place / name for place in places if (place / name).exists()), None)
    if found is None:
        sys.exit(f"there is no `{name}`")
    return str(found)


if path == "--version":
    print(subprocess.run([program("postgres"), "--version"], check=True, capture_output=True, text=True)
          .stdout.split()[2])
    sys.exit()

# A server refuses to run as root.
user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
initdb, postgres, psql = program("initdb"), program("postgres"), program("psql")
folder = tempfile.mkdtemp(prefix="counterfoil-bench-postgres-", dir=os.environ.get("BENCH_FOLDER"))
for above in [pathlib.Path(folder), *pathlib.Path(folder).parents]:
    if user and not above.stat().st_mode & 0o001 and above != pathlib.Path(folder):
        shutil.rmtree(folder)
        sys.exit("the user `postgres` can't reach the folder")
if user:
    shutil.chown(folder, "postgres", "postgres")
data = os.path.join(folder, "data")
environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
quiet = {"stdout": subprocess.DEVNULL, "env": environment, "cwd": folder}

PREPARE = """
CREATE TYPE payload AS (quantity bigint);
CREATE TABLE event (source text, id text, subject text, type text, time timestamptz, quantity bigint,
    PRIMARY KEY (source, id));
CREATE TABLE cell (subject text, type text, hour timestamptz, count bigint, sum numeric,
    PRIMARY KEY (subject, type, hour));
CREATE TEMPORARY TABLE batch (line text);
SET client_min_messages = error;
"""
COUNT = """
WITH fresh AS (
    INSERT INTO event
    SELECT e.source, e.id, e.subject, e.type, e.time, (e.data).quantity
    FROM batch, json_to_record(line::json)
        AS e (source text, id text, subject text, type text, time timestamptz, data payload)
    ON CONFLICT DO NOTHING
    RETURNING subject, type, time, quantity)
INSERT INTO cell
SELECT subject, type, date_trunc('hour', time), count(*), sum(quantity) FROM fresh GROUP BY 1, 2, 3
ON CONFLICT (subject, type, hour)
    DO UPDATE SET count = cell.count + excluded.count, sum = cell.sum + excluded.sum;
TRUNCATE batch;
"""
COPY = "COPY batch FROM STDIN (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02');\n"


def memory_peak_kb(leader):
    """The highest of the server's processes; shared buffers are part of each."""
    peak = 0
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if str(leader) in (fields["PPid"].strip(), fields["Pid"].strip()) and "VmHWM" in fields:
            peak = max(peak, int(fields["VmHWM"].split()[0]))
    return peak


server = None
try:
    subprocess.run([*user, initdb, "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8"], check=True, **quiet)
    server = subprocess.Popen(
        [*user, postgres, "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "shared_buffers=1GB",
         "-c", "max_wal_size=8GB", "-c", "work_mem=256MB", "-c", "autovacuum=off"],
        stderr=subprocess.DEVNULL, **quiet)
    command = [*user, psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "bench", "postgres", "-At"]
    deadline = time.monotonic() + 60
    while subprocess.run([*command, "-c", "SELECT 1"], stderr=subprocess.DEVNULL, **quiet).returncode:
        if time.monotonic() > deadline or server.poll() is not None:
            sys.exit("the server did not start")
        time.sleep(0.1)
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=folder)
    client.stdin.write(PREPARE.encode())
    client.stdin.flush()
    started = time.monotonic()
    with open(path, "rb") as file:
        while block := file.read(BATCH_BYTES):
            block += file.readline()
            client.stdin.write(b"BEGIN;\n" + COPY.encode() + block)
            client.stdin.write((b"" if block.endswith(b"\n") else b"\n") + b"\\.\n" + COUNT.encode() + b"COMMIT;\n")
    client.stdin.write(b"SELECT sum(count), sum(sum), count(*) FROM cell;\n")
    client.stdin.flush()
    count, total, groups = client.stdout.readline().decode().split("|")
    seconds = time.monotonic() - started
    peak = memory_peak_kb(server.pid)
    client.stdin.close()
    client.wait()
    print(json.dumps({
        "rows": int(count),
        "count": int(count),
        "sum": int(total),
        "groups": int(groups),
        "seconds": round(seconds, 3),
        "milliseconds": int(seconds * 1000),
        "peak_kb": peak,
    }))
finally:
    if server is not None:
        server.terminate()
        server.wait()
    shutil.rmtree(folder, ignore_errors=True)
