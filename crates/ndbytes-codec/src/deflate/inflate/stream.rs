//! A deflate stream (RFC 1951) into memory that takes all that comes out, which is also the window.

use super::item::Item;
use super::lanes::{Ground, Lane, one, two};
use super::tables::{
    DISTANCE_BITS, END_OF_BLOCK, Entry, LITERAL, LITLEN_BITS, SECOND, SPECIAL, Tables, all_bits,
    word_bits,
};

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Damaged(&'static str),
    EndsEarly,
}

/// Why [`Stream::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// The stream has ended, with a whole byte.
    Ended,
    /// It goes on with bytes that the input does not have.
    Input,
    /// More comes out than there is room for.
    Room,
    /// A block is to begin, at which it was asked to stop.
    Block,
}

/// A stream that is being inflated.
pub(super) struct Stream {
    /// Between calls less than a byte.
    bits: u64,
    /// How many of them count. Those above are the same bits that come next in the input, or 0.
    count: u32,
    phase: Phase,
    /// The block is the last one.
    last: bool,
    tables: Box<Tables>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Header,
    Stored(usize),
    Symbols,
    /// A match for the rest of which there was no room.
    Match {
        length: usize,
        distance: usize,
    },
    Ended,
}

/// Where a stream stands in its input and in its memory.
pub(super) struct Place<'a, T> {
    pub(super) input: &'a [u8],
    /// The next byte of the input. Those before it are used up, but for the bits that the stream
    /// keeps.
    pub(super) at: usize,
    pub(super) out: &'a mut [T],
    /// How many bytes have come out.
    pub(super) have: usize,
    /// Asked before each block whether to stop there.
    pub(super) stops: Option<&'a mut dyn FnMut(BlockStart) -> bool>,
}

/// Where a block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockStart {
    /// Its first bit.
    pub bit: u64,
    /// Whether the block is the last one.
    pub last: bool,
    /// How much has come out before it.
    pub have: usize,
}

impl<'a, T> Place<'a, T> {
    pub(super) fn new(input: &'a [u8], out: &'a mut [T], have: usize) -> Self {
        Self { input, at: 0, out, have, stops: None }
    }
}

impl Stream {
    pub(super) fn new() -> Self {
        Self { bits: 0, count: 0, phase: Phase::Header, last: false, tables: Tables::new() }
    }

    /// Makes it a new stream.
    pub(super) fn restart(&mut self) {
        (self.bits, self.count, self.phase, self.last) = (0, 0, Phase::Header, false);
    }

    /// Passes over bits of the first byte, less than a byte.
    pub(super) fn skip(&mut self, n: u32, place: &mut Place<'_, u8>) -> Result<(), Fault> {
        self.take(n, place)?;
        self.give_back(place);
        Ok(())
    }

    /// Whether a block with codes of its own begins with the next bit, and is not the last.
    pub(super) fn begins(&mut self, input: &[u8], bit: u64) -> bool {
        self.restart();
        let Some(input) = input.get((bit / 8) as usize..) else { return false };
        let place = &mut Place::<u8>::new(input, &mut [], 0);
        let parsed = self.take((bit % 8) as u32, place).and_then(|_| self.parse_header(place));
        parsed.is_ok() && self.phase == Phase::Symbols && !self.last
    }

    /// Whether all of the input that was given is used up, and a block may begin with what follows.
    pub(super) fn is_between<T: Item>(&self, place: &Place<'_, T>) -> bool {
        self.phase == Phase::Header && self.count == 0 && place.at == place.input.len()
    }

    /// Inflates until it ends or something is missing.
    pub(super) fn run<T: Item>(&mut self, place: &mut Place<'_, T>) -> Result<Pause, Fault> {
        let pause = self.go(place);
        self.give_back(place);
        pause
    }

    fn go<T: Item>(&mut self, place: &mut Place<'_, T>) -> Result<Pause, Fault> {
        loop {
            if let Some(pause) = self.step(place)? {
                return Ok(pause);
            }
            if self.phase == Phase::Symbols {
                let mut lane = self.lane(place);
                let special = one(&mut lane, &mut self.ground(place));
                self.put_back(lane, place);
                if special && let Some(pause) = self.symbol(place)? {
                    return Ok(pause);
                }
            }
        }
    }

    fn lane<T: Item>(&self, place: &Place<'_, T>) -> Lane {
        Lane { bits: self.bits, count: self.count, at: place.at, have: place.have }
    }

    fn ground<'b, T>(&'b self, place: &'b mut Place<'_, T>) -> Ground<'b, T> {
        Ground { input: place.input, out: place.out, tables: &self.tables }
    }

    fn put_back<T: Item>(&mut self, lane: Lane, place: &mut Place<'_, T>) {
        (self.bits, self.count) = (lane.bits, lane.count);
        (place.at, place.have) = (lane.at, lane.have);
    }

    /// As [`Stream::run`] with each of two streams, alternating between them: a processor decodes
    /// two symbols that do not depend on one another in the time of one.
    pub(super) fn run_both(
        streams: &mut [Self; 2],
        places: &mut [Place<'_, u8>; 2],
    ) -> Result<[Pause; 2], (usize, Fault)> {
        let pauses = Self::go_both(streams, places);
        streams.iter_mut().zip(places).for_each(|(stream, place)| stream.give_back(place));
        pauses
    }

    fn go_both(
        [a, b]: &mut [Self; 2],
        [place_a, place_b]: &mut [Place<'_, u8>; 2],
    ) -> Result<[Pause; 2], (usize, Fault)> {
        let first = |fault| (0, fault);
        let second = |fault| (1, fault);
        let mut pauses = [None, None];
        while pauses == [None, None] {
            pauses = [a.step(place_a).map_err(first)?, b.step(place_b).map_err(second)?];
            if pauses != [None, None] || a.phase != Phase::Symbols || b.phase != Phase::Symbols {
                continue;
            }
            let (mut lane_a, mut lane_b) = (a.lane(place_a), b.lane(place_b));
            let grounds = [&mut a.ground(place_a), &mut b.ground(place_b)];
            let special = two([&mut lane_a, &mut lane_b], grounds);
            a.put_back(lane_a, place_a);
            b.put_back(lane_b, place_b);
            if special[0] {
                pauses[0] = a.symbol(place_a).map_err(first)?;
            }
            if special[1] {
                pauses[1] = b.symbol(place_b).map_err(second)?;
            }
        }
        Ok([a.go(place_a).map_err(first)?, b.go(place_b).map_err(second)?])
    }

    /// Goes one step: a header, what a stored block has, or symbols near the end of the input or of
    /// the memory, until there is enough of both to go faster.
    fn step<T: Item>(&mut self, place: &mut Place<'_, T>) -> Result<Option<Pause>, Fault> {
        match self.phase {
            Phase::Ended => Ok(Some(Pause::Ended)),
            Phase::Header => self.header(place),
            Phase::Stored(left) => Ok(self.stored(left, place)),
            Phase::Match { length, distance } => Ok(self.copy(length, distance, place)),
            Phase::Symbols if self.lane(place).has_room(place.input, place.out) => Ok(None),
            Phase::Symbols => self.symbol(place),
        }
    }

    fn header<T: Item>(&mut self, place: &mut Place<'_, T>) -> Result<Option<Pause>, Fault> {
        if place.stops.is_some() {
            self.refill(place);
            // Of the input: it wraps around where it is in a byte that came before.
            let begin = BlockStart {
                bit: (8 * place.at as u64).wrapping_sub(u64::from(self.count)),
                last: self.bits & 1 == 1,
                have: place.have,
            };
            if self.count > 0 && place.stops.as_mut().is_some_and(|stops| stops(begin)) {
                return Ok(Some(Pause::Block));
            }
        }
        let before = (self.bits, self.count, place.at);
        match self.parse_header(place) {
            // Of a header that is not there whole, nothing was read.
            Err(Fault::EndsEarly) => {
                (self.bits, self.count, place.at) = before;
                Ok(Some(Pause::Input))
            }
            parsed => parsed.map(|()| None),
        }
    }

    /// RFC 1951, section 3.2.3.
    fn parse_header<T: Item>(&mut self, place: &mut Place<'_, T>) -> Result<(), Fault> {
        let last = self.take(1, place)? == 1;
        let phase = match self.take(2, place)? {
            0 => {
                self.align(place);
                let (len, check) = (self.take(16, place)?, self.take(16, place)?);
                if len ^ check != 0xffff {
                    return Err(Fault::Damaged("a stored block has two lengths"));
                }
                self.align(place);
                Phase::Stored(len as usize)
            }
            1 => {
                self.tables.fix();
                Phase::Symbols
            }
            2 => {
                self.parse_codes(place)?;
                Phase::Symbols
            }
            _ => return Err(Fault::Damaged("a block is of no known kind")),
        };
        (self.last, self.phase) = (last, phase);
        Ok(())
    }

    /// RFC 1951, section 3.2.7.
    fn parse_codes<T: Item>(&mut self, place: &mut Place<'_, T>) -> Result<(), Fault> {
        let litlens = self.take(5, place)? as usize + 257;
        let distances = self.take(5, place)? as usize + 1;
        if litlens > 286 || distances > 30 {
            return Err(Fault::Damaged("a block has too many symbols"));
        }
        let mut precode = [0; 19];
        let given = self.take(4, place)? as usize + 4;
        for &symbol in &PRECODE_ORDER[..given] {
            precode[symbol] = self.take(3, place)? as u8;
        }
        let wrong = Err(Fault::Damaged("a block has codes that cannot be"));
        if !self.tables.set_precode(&precode) {
            return wrong;
        }
        let (mut at, all) = (0, litlens + distances);
        while at < all {
            self.refill(place);
            let entry = self.tables.precode(self.bits);
            self.drop_bits(entry & 255)?;
            let symbol = (entry >> 16) as u8;
            let previous = at.checked_sub(1).map(|before| self.tables.lengths_mut()[before]);
            let (length, times) = match (symbol, previous) {
                (16, None) => return wrong,
                (16, Some(length)) => (length, 3 + self.take(2, place)?),
                (17, _) => (0, 3 + self.take(3, place)?),
                (18, _) => (0, 11 + self.take(7, place)?),
                _ => (symbol, 1),
            };
            let end = at + times as usize;
            if end > all {
                return wrong;
            }
            self.tables.lengths_mut()[at..end].fill(length);
            at = end;
        }
        if self.tables.set_dynamic(litlens, distances) { Ok(()) } else { wrong }
    }

    fn stored<T: Item>(&mut self, left: usize, place: &mut Place<'_, T>) -> Option<Pause> {
        let (input, room) = (&place.input[place.at..], &mut place.out[place.have..]);
        let n = left.min(input.len()).min(room.len());
        room[..n].iter_mut().zip(input).for_each(|(to, &byte)| *to = T::from(byte));
        place.at += n;
        place.have += n;
        if n == left {
            self.end_block(place);
            return None;
        }
        self.phase = Phase::Stored(left - n);
        Some(if n < input.len() { Pause::Room } else { Pause::Input })
    }

    fn copy<T: Item>(
        &mut self,
        length: usize,
        distance: usize,
        place: &mut Place<'_, T>,
    ) -> Option<Pause> {
        let n = length.min(place.out.len() - place.have);
        for _ in 0..n {
            place.out[place.have] = place.out[place.have - distance];
            place.have += 1;
        }
        self.phase = match length - n {
            0 => Phase::Symbols,
            length => Phase::Match { length, distance },
        };
        (n == 0).then_some(Pause::Room)
    }

    /// One symbol, and what belongs to it, with a look at everything.
    fn symbol<T: Item>(&mut self, place: &mut Place<'_, T>) -> Result<Option<Pause>, Fault> {
        let before = (self.bits, self.count, place.at);
        match self.take_symbol(place) {
            Err(Fault::EndsEarly) => {
                (self.bits, self.count, place.at) = before;
                Ok(Some(Pause::Input))
            }
            Ok(Some(Pause::Room)) => {
                (self.bits, self.count, place.at) = before;
                Ok(Some(Pause::Room))
            }
            taken => taken,
        }
    }

    fn take_symbol<T: Item>(&mut self, place: &mut Place<'_, T>) -> Result<Option<Pause>, Fault> {
        self.refill(place);
        let entry = find(&self.tables.litlen, LITLEN_BITS, self.bits);
        self.drop_bits(word_bits(entry))?;
        if entry & LITERAL != 0 {
            let Some(byte) = place.out.get_mut(place.have) else { return Ok(Some(Pause::Room)) };
            *byte = T::from((entry >> 16) as u8);
            place.have += 1;
            return Ok(None);
        }
        if entry & END_OF_BLOCK != 0 {
            self.end_block(place);
            return Ok(None);
        }
        let length = self.take_value(entry, place)?;
        self.refill(place);
        let entry = find(&self.tables.distance, DISTANCE_BITS, self.bits);
        self.drop_bits(word_bits(entry))?;
        let distance = self.take_value(entry, place)?;
        if place.have == place.out.len() {
            return Ok(Some(Pause::Room));
        }
        if distance > place.have {
            return Err(Fault::Damaged("a match begins before the first byte"));
        }
        Ok(self.copy(length, distance, place))
    }

    /// The value that an entry and the bits after its word stand for.
    fn take_value<T: Item>(
        &mut self,
        entry: Entry,
        place: &mut Place<'_, T>,
    ) -> Result<usize, Fault> {
        if entry & SPECIAL != 0 {
            return Err(Fault::Damaged("bits that are no symbol"));
        }
        let extra = all_bits(entry) - word_bits(entry);
        Ok((entry >> 16) as usize + self.take(extra, place)? as usize)
    }

    fn end_block<T: Item>(&mut self, place: &mut Place<'_, T>) {
        self.phase = Phase::Header;
        if self.last {
            self.align(place);
            self.phase = Phase::Ended;
        }
    }

    /// The next bits, at most 16.
    fn take<T: Item>(&mut self, n: u32, place: &mut Place<'_, T>) -> Result<u32, Fault> {
        self.refill(place);
        let bits = (self.bits & ((1 << n) - 1)) as u32;
        self.drop_bits(n)?;
        Ok(bits)
    }

    fn drop_bits(&mut self, n: u32) -> Result<(), Fault> {
        if n > self.count {
            return Err(Fault::EndsEarly);
        }
        self.bits >>= n;
        self.count -= n;
        Ok(())
    }

    /// Takes bytes while there is room for them.
    fn refill<T: Item>(&mut self, place: &mut Place<'_, T>) {
        while self.count <= 56 {
            let Some(&byte) = place.input.get(place.at) else { return };
            self.bits |= u64::from(byte) << self.count;
            self.count += 8;
            place.at += 1;
        }
    }

    /// Drops the bits up to the next whole byte.
    fn align<T: Item>(&mut self, place: &mut Place<'_, T>) {
        self.give_back(place);
        (self.bits, self.count) = (0, 0);
    }

    /// Puts whole bytes back into the input, from which they came in this call.
    fn give_back<T: Item>(&mut self, place: &mut Place<'_, T>) {
        place.at -= (self.count / 8) as usize;
        self.count %= 8;
        self.bits &= (1 << self.count) - 1;
    }
}

/// The entry of the word that the bits begin with.
fn find(table: &[Entry], first: u32, bits: u64) -> Entry {
    let entry = table[bits as usize & ((1 << first) - 1)];
    if entry & SECOND == 0 {
        return entry;
    }
    let mask = (1usize << (entry >> 8 & 15)) - 1;
    table[(entry >> 16) as usize + ((bits >> first) as usize & mask)]
}

/// The order of the lengths in a header: RFC 1951, section 3.2.7.
const PRECODE_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
