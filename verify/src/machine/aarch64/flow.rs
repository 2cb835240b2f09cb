//! Control flow, and what does nothing to values.

use super::{
    Aarch64, LINK,
    decode::{Instruction, ZERO},
};
use crate::{
    algebra::Bit,
    fault::{Fault, Outcome},
    words::Word,
};

impl Aarch64 {
    /// Executes an instruction, if it is one of these.
    pub(super) fn flow(&mut self, instruction: &Instruction) -> Outcome<bool> {
        use Instruction as I;
        let to = |machine: &Self, offset: i64| machine.now.wrapping_add_signed(offset);
        match *instruction {
            I::Branch { link, offset } => {
                if link {
                    self.write(LINK, Word::Known(self.next));
                }
                self.next = to(self, offset);
            }
            I::BranchTo { link, register } => {
                let target = self.registers.general[register].known();
                let target = target.ok_or_else(|| Fault::secret("the destination of a jump"))?;
                if link {
                    self.write(LINK, Word::Known(self.next));
                }
                self.next = target;
            }
            I::BranchIf { condition, offset } => {
                if self.holds(condition)?.known().ok_or_else(|| Fault::secret("a flag"))? {
                    self.next = to(self, offset);
                }
            }
            I::BranchZero { bytes, register, zero, offset } => {
                let is_zero = self.is_zero(&self.registers.general[register].low(bytes));
                if is_zero.ok_or_else(|| Fault::secret("what is compared with 0"))? == zero {
                    self.next = to(self, offset);
                }
            }
            I::BranchBit { register, bit, set, offset } => {
                let bit = self.registers.general[register].bits()[bit].known();
                if bit.ok_or_else(|| Fault::secret("a bit"))? == set {
                    self.next = to(self, offset);
                }
            }
            I::Nothing => {}
            // Its address may be any, so that it need not be in a region; but it must not tell of secrets.
            I::Prefetch { at } => {
                let base = self.registers.general[at.base].clone();
                let offset = self.operand(&at.offset, 8);
                if self.address_sum(&base, &offset).value().is_none() {
                    self.counts.unknown_prefetches += 1;
                    return Err(Fault::secret("a prefetched address"));
                }
            }
            I::Relative { to: register, offset, page } => {
                let base = if page { self.now & !0xfff } else { self.now };
                self.write(register, Word::Known(base.wrapping_add_signed(offset)));
            }
            _ => return Ok(false),
        }
        debug_assert!(self.registers.general[ZERO].known() == Some(0));
        Ok(true)
    }

    /// Whether a condition holds.
    pub(super) fn holds(&self, condition: u32) -> Outcome<Bit> {
        let flags = &self.registers.flags;
        let secret = || Fault::secret("a flag");
        let zero = || flags.zero.map(Bit::from).ok_or_else(secret);
        let [negative, carry, overflow] = [flags.negative, flags.carry, flags.overflow]
            .map(|flag| move || flag.ok_or_else(|| Fault::secret("a flag")));
        let holds = match condition >> 1 {
            0 => zero()?,
            1 => carry()?,
            2 => negative()?,
            3 => overflow()?,
            // Zero, which is always known, decides first.
            4 if zero()? == Bit::ONE => Bit::ZERO,
            4 => carry()?,
            5 => !(negative()? ^ overflow()?),
            6 if zero()? == Bit::ONE => Bit::ZERO,
            6 => !(negative()? ^ overflow()?),
            _ => return Ok(Bit::ONE),
        };
        Ok(holds ^ Bit::from(condition & 1 != 0))
    }

    /// Whether a word is 0, where that is known: one bit of it that is 1 is enough, and no address is 0.
    pub(super) fn is_zero(&self, word: &Word) -> Option<bool> {
        if let Some(value) = word.known() {
            return Some(value == 0);
        }
        if let Word::Pointer(pointer) = word
            && pointer.is_number()
        {
            return pointer.sign().zero;
        }
        let bits = word.bits();
        let not = word.address().is_some() || bits.contains(&Bit::ONE) || self.not_zero.contains(&bits[..]);
        not.then_some(false)
    }
}
