//! What one client may have: one token, or one address where there are no tokens.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whom a limit is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    Token(String),
    Address(IpAddr),
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// The name of the token, where one is needed.
    pub(super) token: Option<String>,
    /// What is held for them until they have the answer.
    pub(super) _turn: Option<Arc<Turn>>,
}

/// Limits that every client has for itself.
#[derive(Debug)]
pub(super) struct Shares {
    /// Most at once.
    most: Option<usize>,
    /// How far they are apart in the long run.
    interval: Option<Duration>,
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    shares: HashMap<Client, Share>,
    /// When there are so many, those that have nothing are forgotten.
    many: usize,
}

#[derive(Debug)]
struct Share {
    held: usize,
    /// When the next one would come at the pace that is allowed: the theoretical arrival time of
    /// GCRA, the generic cell rate algorithm (ITU-T I.371).
    due: Instant,
}

/// One of those that a client may have at once, until this goes.
#[derive(Debug)]
pub(super) struct Turn {
    shares: Arc<Shares>,
    client: Client,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There are so many already.
    AtOnce(usize),
    /// They come too fast: how long to wait.
    TooFast(Duration),
}

impl Client {
    /// Who comes from this address. A host of IPv6 has a whole network of them.
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
            }
            address => address,
        })
    }
}

impl Shares {
    /// At most so many at once, and so many a second.
    pub(super) fn new(most: Option<usize>, rate: Option<f64>) -> Arc<Self> {
        // A year is never.
        let seconds = |rate: f64| (1.0 / rate).clamp(0.0, 3e7);
        let interval = rate.filter(|&rate| rate > 0.0).map(seconds).map(Duration::from_secs_f64);
        Arc::new(Self { most, interval, clients: Mutex::default() })
    }

    /// A turn for this client, now.
    pub(super) fn enter(self: &Arc<Self>, client: &Client) -> Result<Option<Turn>, Refused> {
        if self.most.is_none() && self.interval.is_none() {
            return Ok(None);
        }
        let now = Instant::now();
        let mut clients = self.lock();
        let Clients { shares, many } = &mut *clients;
        if shares.len() >= (*many).max(MANY) && !shares.contains_key(client) {
            shares.retain(|_, share| share.held > 0 || share.due > now);
            *many = 2 * shares.len();
        }
        let share = shares.entry(client.clone()).or_insert(Share { held: 0, due: now });
        if let Some(most) = self.most.filter(|&most| share.held >= most) {
            return Err(Refused::AtOnce(most));
        }
        if let Some(interval) = self.interval {
            let ahead = share.due.saturating_duration_since(now);
            if ahead > BURST {
                return Err(Refused::TooFast(ahead - BURST));
            }
            share.due = now + ahead + interval;
        }
        share.held += 1;
        Ok(Some(Turn { shares: self.clone(), client: client.clone() }))
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut clients = self.shares.lock();
        let Some(share) = clients.shares.get_mut(&self.client) else { return };
        share.held -= 1;
        if share.held == 0 && share.due <= Instant::now() {
            clients.shares.remove(&self.client);
        }
    }
}

/// Requests of a second may come together.
const BURST: Duration = Duration::from_secs(1);
/// Clients that are remembered before those that have nothing are forgotten.
const MANY: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str) -> Client {
        Client::Token(name.to_owned())
    }

    #[test]
    fn each_client_has_its_own_turns() {
        let shares = Shares::new(Some(2), None);
        let first = shares.enter(&token("a")).unwrap();
        let _second = shares.enter(&token("a")).unwrap();
        assert_eq!(shares.enter(&token("a")).unwrap_err(), Refused::AtOnce(2));
        assert!(shares.enter(&token("b")).is_ok());
        drop(first);
        assert!(shares.enter(&token("a")).is_ok());
    }

    #[test]
    fn who_has_nothing_is_forgotten() {
        let shares = Shares::new(Some(2), None);
        drop(shares.enter(&token("a")));
        assert!(shares.lock().shares.is_empty());
        let shares = Shares::new(None, Some(1e6));
        for i in 0..3 * MANY {
            drop(shares.enter(&token(&i.to_string())));
        }
        assert!(shares.lock().shares.len() <= MANY);
    }

    #[test]
    fn a_burst_is_allowed_and_then_the_pace() {
        let shares = Shares::new(None, Some(10.0));
        let begin = Instant::now();
        let taken = (0..1000).filter(|_| shares.enter(&token("a")).is_ok()).count();
        // Those of a second, and what came due meanwhile.
        let due = (begin.elapsed().as_secs_f64() * 10.0) as usize;
        assert!((11..=12 + due).contains(&taken), "{taken}");
        let Err(Refused::TooFast(wait)) = shares.enter(&token("a")) else { panic!("it waits") };
        assert!(wait <= Duration::from_millis(100));
        assert!(shares.enter(&token("b")).is_ok());
    }

    #[test]
    fn without_limits_nobody_is_counted() {
        let shares = Shares::new(None, None);
        assert!(shares.enter(&token("a")).unwrap().is_none());
        assert!(shares.lock().shares.is_empty());
    }

    #[test]
    fn an_address_is_a_host() {
        let at = |text: &str| Client::at(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
    }
}
