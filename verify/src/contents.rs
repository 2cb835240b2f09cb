//! What a region of memory holds. A bit takes 16 bytes here, so only what was written is kept; the rest is an input, which
//! is drawn again each time that it is read.

use crate::{
    algebra::{Bit, Kind},
    inputs::Inputs,
};

/// Bytes that are kept together, once one of them is written.
const PAGE: usize = 256;

/// What a region held before anything was written.
#[derive(Clone, Debug)]
enum Initial {
    /// These bits.
    Bits(Vec<Bit>),
    /// An input from its `from`th byte on.
    Input { inputs: Inputs, kind: Kind, from: usize },
}

/// Bytes, some of which may have been written.
#[derive(Clone, Debug)]
pub struct Contents {
    initial: Initial,
    len: usize,
    pages: Vec<Option<Box<[Bit]>>>,
}

impl From<Vec<Bit>> for Contents {
    fn from(bits: Vec<Bit>) -> Contents {
        let len = bits.len() / 8;
        Contents::new(Initial::Bits(bits), len)
    }
}

impl Contents {
    fn new(initial: Initial, len: usize) -> Contents {
        Contents { initial, len, pages: vec![None; len.div_ceil(PAGE)] }
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
        match &self.initial {
            Initial::Bits(bits) => out.copy_from_slice(&bits[8 * at..8 * at + out.len()]),
            Initial::Input { inputs, kind, from } => inputs.read(*kind, from + at, out),
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
            let len = rest.len().min(8 * (PAGE - at % PAGE));
            let (part, behind) = rest.split_at_mut(len);
            match &self.pages[at / PAGE] {
                Some(page) => part.copy_from_slice(&page[8 * (at % PAGE)..8 * (at % PAGE) + len]),
                None => self.read_initial(at, part),
            }
            (rest, at) = (behind, at + len / 8);
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
            let len = rest.len().min(8 * (PAGE - at % PAGE));
            let (part, behind) = rest.split_at(len);
            let which = at / PAGE;
            if self.pages[which].is_none() {
                let start = which * PAGE;
                let mut page = vec![Bit::ZERO; 8 * PAGE.min(self.len - start)];
                if part.len() < page.len() {
                    self.read_initial(start, &mut page);
                }
                self.pages[which] = Some(page.into());
            }
            if let Some(page) = &mut self.pages[which] {
                page[8 * (at % PAGE)..8 * (at % PAGE) + len].copy_from_slice(part);
            }
            (rest, at) = (behind, at + len / 8);
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

    #[test]
    fn what_is_written_stays() {
        let input = |from, len| Contents::input(Inputs::Unknown, Kind::Data, from, len).bits(0, len);
        let all = input(0, 1000);
        for (at, len) in [(0, 1), (255, 2), (250, 300), (0, 256), (256, 512), (700, 290)] {
            let mut contents = Contents::input(Inputs::Unknown, Kind::Data, 10, 990);
            contents.write(at, &all[8 * 3..8 * (3 + len)]);
            let mut want = input(10, 990);
            want[8 * at..8 * (at + len)].copy_from_slice(&all[8 * 3..8 * (3 + len)]);
            assert_eq!(contents.bits(0, 990), want, "{len} bytes at {at}");
            contents.reset();
            assert_eq!(contents.bits(0, 990), input(10, 990));
        }
    }
}
