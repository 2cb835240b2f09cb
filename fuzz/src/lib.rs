//! What the targets share: reading an input field by field, and an allocator that counts.

pub mod cuts;
pub mod keystore;
pub mod memory;
pub mod sealed;
pub mod sectors;

/// Takes fields off the front of an input. An input that is too short gives zeros, so that every input is a case.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        let (taken, rest) = self.0.split_at(N.min(self.0.len()));
        field[..taken.len()].copy_from_slice(taken);
        self.0 = rest;
        field
    }

    pub fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes())
    }
}
