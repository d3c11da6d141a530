//! The real process, killed at random points: nothing acknowledged is lost, nothing is counted twice.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use support::Desk;

/// How many kills in a row; `COUNTERFOIL_KILLS` asks for more.
fn kills() -> u64 {
    std::env::var("COUNTERFOIL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn seed() -> u64 {
    std::env::var("COUNTERFOIL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_124)
}

fn event(n: u64) -> String {
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"n-{n}\",\"source\":\"feeder\",\"type\":\"transfer\",\"subject\":\"a-{}\",\
         \"time\":\"2026-10-{:02}T00:00:00Z\",\"data\":{{\"quantity\":{}}}}}",
        n % 2 + 1,
        n % 28 + 1,
        n % 1_000
    )
}

/// A feeder numbers its events and sends them through `ingest -`; the process is killed after a random
/// number of them, and everything not known to be acknowledged is sent again.
#[test]
fn killed_at_random_points() {
    let (kills, seed) = (kills(), seed());
    println!("{kills} kills, seed {seed}");
    let desk = Desk::configured();
    let mut state = seed | 1;
    let mut chance = move |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let mut sent = 0u64;
    let mut resend_from = 0u64;
    for kill in 0..kills {
        let mut child = desk
            .command(&["ingest", "--batch", "16", "--feed", "feeder", "--acknowledge", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let acknowledged = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (from, to) = (resend_from, sent + 16 + chance(600));
        let writer = std::thread::spawn(move || {
            for n in from..to {
                if stdin.write_all(format!("{}\n", event(n)).as_bytes()).is_err() {
                    break;
                }
            }
        });
        let stop_after = 1 + chance(20);
        let mut lines = acknowledged.lines();
        let mut through = from;
        for _ in 0..stop_after {
            let Some(Ok(line)) = lines.next() else { break };
            let Some(count) = line.strip_prefix("acknowledged ") else { break };
            through = from + count.parse::<u64>().expect("a count");
        }
        for _ in 0..chance(2_000) {
            std::hint::spin_loop();
        }
        child.kill().expect("the child is ours");
        child.wait().expect("the child ends");
        writer.join().expect("the feeder ends");
        sent = sent.max(to);
        // Everything from the last acknowledged record on is sent again, and some of what came before.
        resend_from = through.saturating_sub(chance(40));
        assert!(through >= from, "kill {kill}");
    }
    let rest: Vec<String> = (resend_from..sent).map(event).collect();
    desk.write("rest.ndjson", rest.join("\n"));
    desk.run(&["ingest", "--feed", "feeder", "rest.ndjson"]).status(0);
    let usage = desk.run(&["--format", "json", "usage", "--meter", "bytes"]).status(0).json();
    let expected: u64 = (0..sent).map(|n| n % 1_000).sum();
    assert_eq!(usage["meters"][0]["count"], sent.to_string(), "zero lost, zero doubled");
    assert_eq!(usage["meters"][0]["sum"], expected.to_string());
    assert_eq!(desk.fate("accepted"), sent);
    desk.run(&["verify"]).status(0);
    println!("{sent} events, zero lost, zero doubled");
}
