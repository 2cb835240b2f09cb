//! What a region of memory holds. A bit takes 16 bytes here, so only what was written is kept; the rest is an input, which
//! is drawn again each time that it is read.

use crate::{
    aes::known,
    algebra::{Bit, Kind},
    inputs::Inputs,
    words::Lane,
};

/// Bytes of a lane: what is written whole at a multiple of it is kept as it is, without a copy.
const LANE: usize = 16;
/// Lanes that are kept together, once something is written to one of them.
const PAGE: usize = 16;

type Page = Box<[Option<Lane>; PAGE]>;

/// What a region held before anything was written.
#[derive(Clone, Copy, Debug)]
enum Initial {
    /// Zeros.
    Zeros,
    /// An input from its `from`th byte on.
    Input { inputs: Inputs, kind: Kind, from: usize },
}

/// Bytes, some of which may have been written.
#[derive(Clone, Debug)]
pub struct Contents {
    initial: Initial,
    len: usize,
    pages: Vec<Option<Page>>,
}

impl From<Vec<Bit>> for Contents {
    fn from(bits: Vec<Bit>) -> Contents {
        let mut contents = Contents::new(Initial::Zeros, bits.len() / 8);
        contents.write(0, &bits);
        contents
    }
}

impl Contents {
    fn new(initial: Initial, len: usize) -> Contents {
        Contents { initial, len, pages: vec![None; len.div_ceil(LANE * PAGE)] }
    }

    /// `len` bytes of an input, from its `from`th on.
    pub fn input(inputs: Inputs, kind: Kind, from: usize, len: usize) -> Contents {
        Contents::new(Initial::Input { inputs, kind, from }, len)
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Leaves the first bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Everything is as before anything was written.
    pub fn reset(&mut self) {
        self.pages.fill(None);
    }

    fn read_initial(&self, at: usize, out: &mut [Bit]) {
        match self.initial {
            Initial::Zeros => out.fill(Bit::ZERO),
            Initial::Input { inputs, kind, from } => inputs.read(kind, from + at, out),
        }
    }

    /// A lane that was written to.
    fn written(&self, which: usize) -> Option<&Lane> {
        self.pages[which / PAGE].as_ref().and_then(|page| page[which % PAGE].as_ref())
    }

    /// Whole lanes of which something was written, and where they are.
    pub fn all_written(&self) -> impl Iterator<Item = (usize, &Lane)> {
        let pages = self.pages.iter().enumerate().filter_map(|(which, page)| Some((which, page.as_ref()?)));
        let lanes = pages.flat_map(|(which, page)| (PAGE * which..).zip(page.iter()));
        lanes.filter_map(|(which, lane)| Some((LANE * which, lane.as_ref()?)))
    }

    fn write_whole(&mut self, which: usize, lane: Lane) {
        let page = self.pages[which / PAGE].get_or_insert_with(|| Box::new([const { None }; PAGE]));
        page[which % PAGE] = Some(lane);
    }

    /// Reads a lane from byte `at` on.
    ///
    /// # Panics
    /// If there are not so many bytes.
    pub fn read_lane(&self, at: usize) -> Lane {
        assert!(at + LANE <= self.len, "the caller checks bounds");
        if at.is_multiple_of(LANE)
            && let Some(lane) = self.written(at / LANE)
        {
            return lane.clone();
        }
        let mut bits = [Bit::ZERO; 8 * LANE];
        self.read(at, &mut bits);
        Lane::from_bits(&bits)
    }

    /// Writes a lane from byte `at` on.
    ///
    /// # Panics
    /// If there are not so many bytes.
    pub fn write_lane(&mut self, at: usize, lane: &Lane) {
        assert!(at + LANE <= self.len, "the caller checks bounds");
        if at.is_multiple_of(LANE) {
            self.write_whole(at / LANE, lane.clone());
        } else {
            self.write(at, &lane.bits());
        }
    }

    /// Reads whole bytes from byte `at` on.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn read(&self, at: usize, out: &mut [Bit]) {
        assert!(at + out.len() / 8 <= self.len, "the caller checks bounds");
        let (mut at, mut rest) = (at, out);
        while !rest.is_empty() {
            let from = at % LANE;
            let len = (rest.len() / 8).min(LANE - from);
            let (part, behind) = rest.split_at_mut(8 * len);
            match self.written(at / LANE) {
                Some(Lane::Known(number)) => {
                    part.copy_from_slice(&known(&number.to_le_bytes()[from..from + len]));
                }
                Some(lane) => {
                    let bits = lane.unknown().expect("it is not known");
                    part.copy_from_slice(&bits[8 * from..8 * (from + len)]);
                }
                None => self.read_initial(at, part),
            }
            (rest, at) = (behind, at + len);
        }
    }

    /// Writes whole bytes from byte `at` on.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn write(&mut self, at: usize, bits: &[Bit]) {
        assert!(at + bits.len() / 8 <= self.len, "the caller checks bounds");
        let (mut at, mut rest) = (at, bits);
        while !rest.is_empty() {
            let (which, from) = (at / LANE, at % LANE);
            let len = (rest.len() / 8).min(LANE - from);
            let (part, behind) = rest.split_at(8 * len);
            let mut whole = [Bit::ZERO; 8 * LANE];
            if len < LANE {
                match self.written(which) {
                    Some(lane) => whole = lane.bits(),
                    None => self.read_initial(which * LANE, &mut whole),
                }
            }
            whole[8 * from..8 * (from + len)].copy_from_slice(part);
            self.write_whole(which, Lane::from_bits(&whole));
            (rest, at) = (behind, at + len);
        }
    }

    /// The bits of so many bytes from byte `at` on.
    pub fn bits(&self, at: usize, len: usize) -> Vec<Bit> {
        let mut bits = vec![Bit::ZERO; 8 * len];
        self.read(at, &mut bits);
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(from: usize, len: usize) -> Vec<Bit> {
        Contents::input(Inputs::Unknown, Kind::Data, from, len).bits(0, len)
    }

    #[test]
    fn what_is_written_stays() {
        let all = input(0, 1000);
        for (at, len) in [(0, 1), (15, 2), (255, 2), (250, 300), (0, 256), (256, 512), (700, 290), (989, 1)] {
            let mut contents = Contents::input(Inputs::Unknown, Kind::Data, 10, 990);
            contents.write(at, &all[8 * 3..8 * (3 + len)]);
            let mut want = input(10, 990);
            want[8 * at..8 * (at + len)].copy_from_slice(&all[8 * 3..8 * (3 + len)]);
            assert_eq!(contents.bits(0, 990), want, "{len} bytes at {at}");
            for at in [0, 16, 240, 249, 974] {
                assert_eq!(contents.read_lane(at).bits()[..], want[8 * at..8 * (at + 16)], "at {at}");
            }
            contents.reset();
            assert_eq!(contents.bits(0, 990), input(10, 990));
        }
    }
    #[test]
    fn lanes_are_their_bytes() {
        let lane = Lane::from_bits(&input(5, 16).try_into().unwrap());
        for lane in [Lane::Known(0x0123_4567_89ab_cdef_0011_2233_4455_6677), lane] {
            for at in [0, 16, 31, 84] {
                let mut contents = Contents::input(Inputs::Unknown, Kind::Data, 10, 100);
                contents.write_lane(at, &lane);
                let mut want = input(10, 100);
                want[8 * at..8 * (at + 16)].copy_from_slice(&lane.bits());
                assert_eq!(contents.bits(0, 100), want);
                assert_eq!(contents.read_lane(at).bits(), lane.bits());
                // A byte of a known one.
                contents.write(at + 3, &[Bit::ONE; 8]);
                want[8 * (at + 3)..8 * (at + 4)].fill(Bit::ONE);
                assert_eq!(contents.bits(0, 100), want);
                assert_eq!(contents.read_lane(at).known().is_some(), lane.known().is_some());
            }
        }
    }
}
