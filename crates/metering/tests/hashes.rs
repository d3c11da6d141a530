//! Identity, payload hash and digest: known answers of another implementation, and what counts.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::{keys, number, object, text};
use metering::{
    Digest, Event, Fingerprint, Identity, Instant, PayloadHash, event_digest, fingerprint, identity,
};

fn known() -> Event {
    Event {
        source: "api/eu".to_owned(),
        id: "ID-ä".to_owned(),
        event_type: "request".to_owned(),
        account: "org-1".to_owned(),
        occurred_at: Instant(1_785_542_400_500_000_000),
        properties: object(&[("region", text("eu\n")), ("quantity", number("1.50"))]),
    }
}

/// Computed by a few lines of Python from the definition of SipHash-2-4 and the layout in the manual.
#[test]
fn known_answers() {
    let event = known();
    let expect = Fingerprint {
        identity: Identity(0x140b_05a6_0dc4_f8fe_ec58_6a25_0829_a72b),
        digest: Digest(0x24c1_4510_dcbf_db34_f3a0_b392_1925_5b32),
    };
    assert_eq!(identity(&keys(), "acme", &event.source, &event.id), expect.identity);
    assert_eq!(expect.payload(), PayloadHash(0xf3a0_b392_1925_5b32));
    assert_eq!(event_digest(&keys(), "acme", &event), expect.digest);
    assert_eq!(fingerprint(&keys(), "acme", &event), expect);
    assert_eq!(expect.identity.to_string(), "140b05a60dc4f8feec586a250829a72b");
    assert_eq!(expect.payload().to_string(), "f3a0b39219255b32");
    assert_eq!(expect.digest.to_string(), "24c14510dcbfdb34f3a0b39219255b32");
    assert_eq!(Digest::parse("24c14510dcbfdb34f3a0b39219255b32"), Ok(expect.digest));
}

#[test]
fn digests_are_written_one_way() {
    assert_eq!(Digest(1).to_string(), "00000000000000000000000000000001");
    for text in [
        "",
        "1",
        "0000000000000000000000000000000A",
        "+0000000000000000000000000000001",
        "000000000000000000000000000000001",
    ] {
        assert!(Digest::parse(text).is_err(), "{text}");
    }
}

#[test]
fn identity_is_tenant_source_and_id_alone() {
    let of = |tenant: &str, source: &str, id: &str| identity(&keys(), tenant, source, id);
    let own = of("t", "s", "a-1");
    for other in [
        of("T", "s", "a-1"),
        of("t", "S", "a-1"),
        of("t", "s", "A-1"),
        of("t", "s", "a1"),
        of("t", "s", "a-1 "),
    ] {
        assert_ne!(own, other);
    }
    assert_ne!(of("t", "ab", "c"), of("t", "a", "bc"));
    assert_ne!(of("ta", "b", "c"), of("t", "ab", "c"));
    assert_ne!(of("t", "", "sc"), of("t", "s", "c"));
    let mut other_keys = keys();
    other_keys.identity[0] ^= 1;
    assert_ne!(own, identity(&other_keys, "t", "s", "a-1"));
    other_keys = keys();
    other_keys.digest[0] ^= 1;
    assert_eq!(own, identity(&other_keys, "t", "s", "a-1"));
}

#[test]
fn content_is_type_account_time_and_properties() {
    let own = fingerprint(&keys(), "t", &known());
    let changes: [fn(&mut Event); 5] = [
        |event| event.event_type.push('2'),
        |event| event.account.push('2'),
        |event| event.occurred_at.0 += 1,
        |event| event.properties = object(&[("region", text("eu\n")), ("quantity", number("1.51"))]),
        |event| {
            event.event_type = "requestorg".to_owned();
            event.account = "-1".to_owned();
        },
    ];
    for change in changes {
        let mut event = known();
        change(&mut event);
        let other = fingerprint(&keys(), "t", &event);
        assert_eq!(other.identity, own.identity);
        assert_ne!(other.payload(), own.payload());
        assert_ne!(other.digest, own.digest);
    }
    let renamed = Event { id: "other".to_owned(), ..known() };
    let other = fingerprint(&keys(), "t", &renamed);
    assert_ne!(other.identity, own.identity);
    assert_ne!(other.digest, own.digest);
}

#[test]
fn keys_do_not_show() {
    assert_eq!(format!("{:?}", keys()), "Keys(…)");
}
