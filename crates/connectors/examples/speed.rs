//! x
use connectors::*;
use std::time::Instant;
fn main(){
 let feed=Feed{name:"f".into(),source:"f".into()};
 for (d,l) in [(Decoder::cloud_events(),r#"{"specversion":"1.0","id":"4ff942d62f3f4d5db9f53b5a015b5fd9","source":"relay-7","type":"transaction","subject":"org-17","time":"2026-08-01T00:01:13.482913Z","data":{"project":12345,"quantity":17}}"#),
  (Decoder::sentry_outcomes(),r#"{"timestamp":"2026-08-01T00:01:13.482913Z","org_id":1,"project_id":42,"key_id":7,"outcome":0,"reason":null,"event_id":"4ff942d62f3f4d5db9f53b5a015b5fd9","category":1,"quantity":1}"#)] {
  let text=format!("{l}\n").repeat(200_000);
  let t=Instant::now(); let recs:Vec<_>=d.records(text.as_bytes()).map(|r|r.unwrap()).collect(); println!("{} lines {:?}",d.name(),t.elapsed()/200_000);
  let t=Instant::now(); let n=recs.iter().filter(|r|d.decode(&feed,r).is_ok()).count(); println!("decode {:?} {n}",t.elapsed()/200_000);
  let t=Instant::now(); let n:usize=recs.iter().map(|r|d.kept_body(&feed,r).1.len()).sum(); println!("kept {:?} {n}",t.elapsed()/200_000);
 }
}
