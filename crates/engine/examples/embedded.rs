//! Counterfoil inside another program: open, append from many threads, ask, close.
//!
//! `cargo run -p engine --example embedded -- FOLDER`

use std::sync::Arc;

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Caller, Engine, EngineError, MEMORY_BYTES, Options, Shard, SystemClock, UsageQuery};
use metering::Instant;
use store::{RealDisk, SegmentSizes};

const CONFIG: &str = "
kind: meter
meter: calls
events: [call]
aggregate: sum
property: quantity
unit: call
---
kind: account
account: acme
";

fn main() -> Result<(), EngineError> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "embedded-data".to_owned());

    // Storage, clock and chance are given in. A server would draw its keys from the system.
    let disk = RealDisk::create(folder).map_err(|error| EngineError::stored("the folder", error))?;
    let options = Options {
        clock: Arc::new(SystemClock),
        random: Box::new(|bytes| bytes.fill(42)),
        keys: None,
        actor: "embedded".to_owned(),
        sizes: SegmentSizes::DEFAULT,
        memory_bytes: MEMORY_BYTES,
        in_background: true,
    };
    let mut engine = Engine::open(Arc::new(disk), options)?;

    // What is counted: the same documents that `counterfoil apply` reads.
    let caller = Caller { actor: "embedded".to_owned(), reason: None, idempotency_key: None };
    let documents = read_documents("config.yaml", CONFIG).unwrap_or_else(|problems| panic!("{problems:?}"));
    let plan = engine.plan(&documents)?.unwrap_or_else(|problems| panic!("{problems:?}"));
    engine.apply(&caller, &plan)?;

    // Four writers share one shard; what they send at the same time becomes durable by one sync.
    let shard = Shard::start(engine)?;
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let shard = &shard;
            scope.spawn(move || {
                let feed = Feed { name: format!("writer-{writer}"), source: format!("writer-{writer}") };
                let batch: String = (0..1_000)
                    .map(|n| {
                        format!(
                            r#"{{"specversion":"1.0","id":"{writer}-{n}","source":"gate","type":"call","subject":"acme","time":"2026-08-01T00:00:00Z","data":{{"quantity":{n}}}}}{}"#,
                            "\n"
                        )
                    })
                    .collect();
                let answer = shard.append(&Decoder::cloud_events(), &feed, batch.into_bytes())?;
                println!("writer {writer}: positions {} to {}", answer.position, answer.position + 999);
                Ok::<(), EngineError>(())
            });
        }
    });

    // A query runs between two syncs and sees everything that was answered before it.
    let totals = shard.with(|engine| {
        engine.usage(&UsageQuery {
            meter: "calls",
            account: Some("acme"),
            only: &[],
            start: Instant(i64::MIN),
            end: Instant(i64::MAX),
            as_of: engine.end(),
        })
    })??;
    println!("acme: {} events, {} calls", totals.records, totals.quantity);
    shard.close()
}
