//! Readers and writers that do all that the standard library's contracts allow, and some that they
//! do not.

use std::io::{self, ErrorKind, Read, Write};

use crate::random::Random;

/// What a reader does to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRule {
    /// Nothing.
    Whole,
    /// Gives at most so many bytes a call.
    AtMost(usize),
    /// Gives a random part of what is asked for, of this seed.
    Short(u64),
    /// As `Short`, and interrupts every third call.
    Interrupts(u64),
    /// Ends after so many bytes.
    Cut(u64),
    /// Fails after so many bytes.
    Fails(u64, ErrorKind),
    /// Has nothing yet after so many bytes, once: `WouldBlock`, as a socket with a deadline.
    Stalls(u64),
    /// Claims after so many bytes one more than there was room for.
    Lies(u64),
}

/// What a writer does to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteRule {
    /// Nothing.
    Whole,
    /// Takes at most so many bytes a call.
    AtMost(usize),
    /// Takes a random part of what it is given, of this seed.
    Short(u64),
    /// As `Short`, and interrupts every third call.
    Interrupts(u64),
    /// Is full after so many bytes: `ENOSPC`.
    Full(u64),
    /// Takes nothing more after so many bytes, and says so.
    Stops(u64),
    /// Has no room after so many bytes: `WouldBlock`.
    Stalls(u64),
    /// Claims after so many bytes one more than it was given.
    Lies(u64),
}

impl ReadRule {
    /// Rules that change nothing of what arrives.
    pub const HARMLESS: [Self; 6] = [
        Self::Whole,
        Self::AtMost(1),
        Self::AtMost(7),
        Self::Short(1),
        Self::Interrupts(2),
        Self::Interrupts(3),
    ];
}

impl WriteRule {
    /// Rules that lose nothing of what is written.
    pub const HARMLESS: [Self; 5] =
        [Self::Whole, Self::AtMost(1), Self::AtMost(7), Self::Short(1), Self::Interrupts(2)];

    /// Rules under which not more than `n` bytes arrive, and the caller can tell.
    pub const fn failing(n: u64) -> [Self; 4] {
        [Self::Full(n), Self::Stops(n), Self::Stalls(n), Self::Lies(n)]
    }
}

/// A reader under a rule.
#[derive(Debug)]
pub struct HostileReader<R> {
    inner: R,
    rule: ReadRule,
    random: Random,
    at: u64,
    calls: u64,
    stalled: bool,
}

/// A writer under a rule; it keeps what arrives.
#[derive(Debug)]
pub struct HostileWriter {
    rule: WriteRule,
    random: Random,
    calls: u64,
    arrived: Vec<u8>,
}

impl<R: Read> HostileReader<R> {
    /// Reads `inner` under this rule.
    pub fn new(inner: R, rule: ReadRule) -> Self {
        let seed = match rule {
            ReadRule::Short(seed) | ReadRule::Interrupts(seed) => seed,
            _ => 0,
        };
        Self { inner, rule, random: Random::new(seed), at: 0, calls: 0, stalled: false }
    }

    /// How many bytes were given.
    pub fn position(&self) -> u64 {
        self.at
    }
}

impl<R: Read> Read for HostileReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        let until = |end: u64| (end.saturating_sub(self.at)).min(buffer.len() as u64) as usize;
        let len = match self.rule {
            _ if buffer.is_empty() => 0,
            ReadRule::Whole => buffer.len(),
            ReadRule::AtMost(n) => n.min(buffer.len()),
            ReadRule::Interrupts(_) if self.calls.is_multiple_of(3) => {
                return Err(ErrorKind::Interrupted.into());
            }
            ReadRule::Short(_) | ReadRule::Interrupts(_) => {
                1 + self.random.below(buffer.len().min(100))
            }
            ReadRule::Cut(end) => until(end),
            ReadRule::Fails(end, kind) => match until(end) {
                0 => return Err(kind.into()),
                len => len,
            },
            ReadRule::Stalls(end) if !self.stalled => match until(end) {
                0 => {
                    self.stalled = true;
                    return Err(ErrorKind::WouldBlock.into());
                }
                len => len,
            },
            ReadRule::Stalls(_) => buffer.len(),
            ReadRule::Lies(end) => match until(end) {
                0 => return Ok(buffer.len() + 1),
                len => len,
            },
        };
        let len = len.min(buffer.len());
        let n = self.inner.read(&mut buffer[..len])?;
        self.at += n as u64;
        Ok(n)
    }
}

impl HostileWriter {
    /// A writer under this rule.
    pub fn new(rule: WriteRule) -> Self {
        let seed = match rule {
            WriteRule::Short(seed) | WriteRule::Interrupts(seed) => seed,
            _ => 0,
        };
        Self { rule, random: Random::new(seed), calls: 0, arrived: Vec::new() }
    }

    /// What has arrived.
    pub fn arrived(&self) -> &[u8] {
        &self.arrived
    }
}

impl Write for HostileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        if bytes.is_empty() {
            return Ok(0);
        }
        let until = |end: u64| {
            end.saturating_sub(self.arrived.len() as u64).min(bytes.len() as u64) as usize
        };
        let len = match self.rule {
            WriteRule::Whole => bytes.len(),
            WriteRule::AtMost(n) => n.min(bytes.len()),
            WriteRule::Interrupts(_) if self.calls.is_multiple_of(3) => {
                return Err(ErrorKind::Interrupted.into());
            }
            WriteRule::Short(_) | WriteRule::Interrupts(_) => {
                1 + self.random.below(bytes.len().min(100))
            }
            WriteRule::Full(end) => match until(end) {
                0 => return Err(ErrorKind::StorageFull.into()),
                len => len,
            },
            WriteRule::Stops(end) => until(end),
            WriteRule::Stalls(end) => match until(end) {
                0 => return Err(ErrorKind::WouldBlock.into()),
                len => len,
            },
            WriteRule::Lies(end) => match until(end) {
                0 => return Ok(bytes.len() + 1),
                len => len,
            },
        };
        self.arrived.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
