//! Streams of one byte over and over, as the upper planes of small integers are: what one of them
//! became is looked up for the next, many times as fast as any search or decoder goes through it.

/// A stream of one byte, and what it is compressed.
pub(super) struct Constant<Way> {
    /// Whatever else decides about the compressed bytes.
    pub(super) way: Way,
    pub(super) len: usize,
    pub(super) byte: u8,
    pub(super) packed: Vec<u8>,
}

/// The last few of them.
pub(super) struct Constants<Way> {
    known: Vec<Constant<Way>>,
    /// Which one gives way to the next.
    oldest: usize,
}

impl<Way> Default for Constants<Way> {
    fn default() -> Self {
        Self { known: Vec::new(), oldest: 0 }
    }
}

impl<Way> Constants<Way> {
    /// The one that this says it is.
    pub(super) fn find(&self, is_it: impl Fn(&Constant<Way>) -> bool) -> Option<&Constant<Way>> {
        self.known.iter().find(|&constant| is_it(constant))
    }

    /// Remembers one, if there is memory for it.
    pub(super) fn add(&mut self, way: Way, len: usize, byte: u8, packed: &[u8]) {
        let mut copy = Vec::new();
        if copy.try_reserve_exact(packed.len()).is_err() {
            return;
        }
        copy.extend_from_slice(packed);
        let constant = Constant { way, len, byte, packed: copy };
        if let Some(slot) = self.known.get_mut(self.oldest) {
            *slot = constant;
        } else if self.known.try_reserve(1).is_ok() {
            self.known.push(constant);
        }
        self.oldest = (self.oldest + 1) % MOST;
    }

    /// Bytes of memory that they hold.
    pub(super) fn nbytes(&self) -> usize {
        let own = self.known.capacity() * size_of::<Constant<Way>>();
        own + self.known.iter().map(|constant| constant.packed.capacity()).sum::<usize>()
    }
}

/// The byte that all of so many are, if they are. At the first other one it is known.
pub(super) fn only_byte(bytes: &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    (bytes.len() >= LEAST && bytes[..rest.len()] == *rest).then_some(*first)
}

/// Planes that are zeros and those that are ones, by the searches that are tried and the one taken.
const MOST: usize = 8;
/// Less is compressed as soon as looked up.
const LEAST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_that_are_all_the_same_are_one_byte() {
        let mut bytes = vec![7; 1000];
        assert_eq!(only_byte(&bytes), Some(7));
        assert_eq!(only_byte(&bytes[..LEAST - 1]), None);
        for at in [0, 1, 499, 998, 999] {
            bytes[at] = 8;
            assert_eq!(only_byte(&bytes), None, "{at}");
            bytes[at] = 7;
        }
    }

    #[test]
    fn the_last_few_are_known() {
        let mut constants = Constants::default();
        for way in 0..=MOST {
            constants.add(way, 100, way as u8, &[way as u8; 3]);
        }
        let known = |way| constants.find(|constant| constant.way == way).map(|found| found.byte);
        assert_eq!(known(0), None);
        assert!((1..=MOST).all(|way| known(way) == Some(way as u8)));
        assert!(constants.nbytes() >= MOST * 3);
    }
}
