//! Trying again, later and later.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use ndbytes::Error;

use super::interrupt::Interrupt;

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another attempt may go well, after this time if the server named one.
    Passing(Error, Option<Duration>),
    /// It would be the same again.
    Lasting(Error),
}

/// How often something is tried again.
pub(super) struct Patience {
    most: u32,
    tried: u32,
    interrupt: Interrupt,
}

impl Patience {
    pub(super) fn new(most: u32, interrupt: Interrupt) -> Self {
        Self { most, tried: 0, interrupt }
    }

    /// Something arrived: what fails next is another failure.
    pub(super) fn renew(&mut self) {
        self.tried = 0;
    }

    /// Waits before another attempt.
    ///
    /// # Errors
    /// The trouble, if there is to be none; what ended the wait.
    pub(super) fn wait(&mut self, trouble: Trouble) -> Result<(), Error> {
        let (error, named) = match trouble {
            Trouble::Passing(error, named) if self.tried < self.most => (error, named),
            Trouble::Passing(error, _) | Trouble::Lasting(error) => return Err(error),
        };
        let pause = named.unwrap_or_else(|| pause(self.tried, random()));
        if pause > LONGEST_NAMED {
            // Who names an hour is not to be waited for.
            return Err(error);
        }
        self.tried += 1;
        self.interrupt.sleep(pause)
    }
}

/// How long to wait after so many attempts: twice as long each time, and between half and all of
/// that, so that clients which failed together do not come back together.
fn pause(tried: u32, random: u64) -> Duration {
    let whole = FIRST.saturating_mul(1 << tried.min(10)).min(LONGEST);
    whole / 2 + whole.mul_f64((random >> 32) as f64 / f64::from(u32::MAX) / 2.0)
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);
const LONGEST_NAMED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use ndbytes::Code;

    use super::*;

    fn passing() -> Trouble {
        Trouble::Passing(Error::new(Code::Io, "busy"), Some(Duration::ZERO))
    }

    #[test]
    fn pauses_double_and_end() {
        for (tried, low, high) in [(0, 100, 200), (1, 200, 400), (3, 800, 1600), (40, 2500, 5000)] {
            for random in [0, u64::MAX / 2, u64::MAX] {
                let pause = pause(tried, random);
                assert!(pause >= Duration::from_millis(low), "{tried} {pause:?}");
                assert!(pause <= Duration::from_millis(high), "{tried} {pause:?}");
            }
        }
    }

    #[test]
    fn patience_ends_unless_something_arrives() {
        let mut patience = Patience::new(2, Interrupt::new(None));
        for _ in 0..2 {
            patience.wait(passing()).unwrap();
        }
        patience.wait(passing()).unwrap_err();
        patience.renew();
        patience.wait(passing()).unwrap();
        patience.wait(Trouble::Lasting(Error::new(Code::Io, "no"))).unwrap_err();
        let hour = Some(Duration::from_secs(3600));
        patience.wait(Trouble::Passing(Error::new(Code::Io, "later"), hour)).unwrap_err();
    }
}
