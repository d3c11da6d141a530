//! Time as a value that the shell passes in.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use metering::Instant;

/// Where `received_at`, `recorded_at` and `issued_at` come from.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Instant;
}

/// The machine's clock. One that stands before 1970 or after 2262 stops the program: no time is made up.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        match since.and_then(|since| i64::try_from(since.as_nanos()).ok()) {
            Some(nanoseconds) => Instant(nanoseconds),
            None => panic!(
                "the machine's clock stands before 1970 or after 2262: nothing is recorded at a time made up"
            ),
        }
    }
}

/// A clock that stands where it was set: replays, tests, the demo.
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that stands at a time.
    pub fn at(time: Instant) -> Self {
        Self(AtomicI64::new(time.0))
    }

    /// Sets it.
    pub fn set(&self, time: Instant) {
        self.0.store(time.0, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }
}
