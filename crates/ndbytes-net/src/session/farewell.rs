//! What a peer is told for whom there is no room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndbytes::Code;

use super::address::Address;
use super::end::LINGER;
use super::inner::Place;
use super::record::Record;
use super::wire::Wire;

/// Those who are told at the moment.
#[derive(Default)]
pub(super) struct Farewells(Arc<AtomicUsize>);

impl Farewells {
    /// Tells a peer why there is no session, and ends its connection.
    pub(super) fn tell(&self, mut wire: Wire, most: usize, address: &Address) {
        let code = Code::StreamPeer.as_str().to_owned();
        let message = format!("there are {most} connections already, and more are not allowed");
        let mut record = Vec::new();
        if (Record::Error { code, message: message.clone() }).encode(&mut record).is_err() {
            return wire.control.close();
        }
        match address {
            Address::Tcp(_) | Address::Unix(_) => {
                // No other is kept waiting for this.
                if wire.control.is_ready() && wire.write.write_all(&record).is_ok() {
                    let _ = wire.control.shut_write();
                }
                wire.control.close();
            }
            Address::Tls(_) => self.shake_hands_and_tell(wire, record),
            // It has a text of its own.
            _ => wire.control.close_because(&message),
        }
    }

    /// On a thread of its own, if there are few: to who does not shake hands nothing can be said.
    fn shake_hands_and_tell(&self, mut wire: Wire, record: Vec<u8>) {
        let place = Place(self.0.clone());
        if self.0.fetch_add(1, Ordering::AcqRel) >= MOST {
            return wire.control.close();
        }
        let tell = move || {
            let _place = place;
            if wire.write.write_all(&record).is_ok() && wire.control.shut_write().is_ok() {
                // What it says meanwhile would have the system take back what it is told.
                let _ = wire.control.drain(Some(LINGER));
            }
            wire.control.close();
        };
        // Without a thread it is closed by being dropped.
        let _ = std::thread::Builder::new().name("ndbytes-farewell".to_owned()).spawn(tell);
    }
}

/// How many are told at once, where hands are shaken first.
const MOST: usize = 16;
/// How long those may take to shake hands.
pub(super) const HURRY: Duration = Duration::from_secs(2);
