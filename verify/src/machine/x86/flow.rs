//! Control flow, the stack, and what does nothing to values.

use iced_x86::{ConditionCode, Instruction, OpKind};

use super::{
    RAX, RBX, RCX, RDX, X86,
    models::Flow,
    operand::{is, size},
};
use crate::{
    fault::{Fault, Outcome},
    words::Word,
};

impl X86 {
    pub(super) fn flow(&mut self, instruction: &Instruction, model: Flow) -> Outcome<()> {
        match model {
            Flow::Jump => self.next = self.destination(instruction)?,
            Flow::Call => {
                let to = self.destination(instruction)?;
                self.push(&Word::Known(instruction.next_ip()))?;
                self.next = to;
            }
            Flow::Return => {
                self.next = self.pop()?.known().ok_or_else(|| Fault::secret("a return address"))?;
            }
            Flow::Branch => {
                if self.holds(instruction.condition_code())? {
                    self.next = instruction.near_branch64();
                }
            }
            Flow::Push => {
                if is(instruction, 0, |r| r.size() != 8) {
                    return Err(Fault::no_model("a push of less than 8 bytes"));
                }
                let value = match instruction.op_kind(0) {
                    OpKind::Register | OpKind::Memory => self.read(instruction, 0)?,
                    _ => Word::Known(instruction.immediate(0)),
                };
                self.push(&value)?;
            }
            Flow::Pop => {
                if size(instruction, 0) != 8 {
                    return Err(Fault::no_model("a pop of less than 8 bytes"));
                }
                let value = self.pop()?;
                self.write(instruction, 0, &value)?;
            }
            // Its address may be any, so that it need not be in a region; but it must not tell of secrets.
            Flow::Prefetch => {
                if !self.effective(instruction).is_ok_and(|word| word.value().is_some()) {
                    self.counts.unknown_prefetches += 1;
                    return Err(Fault::secret("a prefetched address"));
                }
            }
            Flow::Fence => self.unfenced = false,
            Flow::Nothing => {}
            Flow::Cpuid => {
                let [leaf, sub] = [self.known_general(RAX)?, self.known_general(RCX)?].map(|x| x as u32);
                let [a, b, c, d] = self.processor.cpuid(leaf, sub).map(|x| Word::Known(u64::from(x)));
                let general = &mut self.registers.general;
                (general[RAX], general[RBX], general[RCX], general[RDX]) = (a, b, c, d);
            }
            Flow::Xgetbv => {
                let value = self
                    .processor
                    .xgetbv()
                    .filter(|_| self.known_general(RCX).is_ok_and(|which| which as u32 == 0));
                let value = value.ok_or_else(|| Fault::no_model("xgetbv, which that processor has not"))?;
                self.registers.general[RAX] = Word::Known(u64::from(value));
                self.registers.general[RDX] = Word::Known(0);
            }
        }
        Ok(())
    }

    fn destination(&mut self, instruction: &Instruction) -> Outcome<u64> {
        match instruction.op_kind(0) {
            OpKind::NearBranch64 => Ok(instruction.near_branch64()),
            _ => self.read_known(instruction, 0, "the destination of a jump"),
        }
    }

    /// Whether a condition holds.
    pub(super) fn holds(&self, condition: ConditionCode) -> Outcome<bool> {
        use ConditionCode as C;
        let flags = &self.registers.flags;
        let secret = || Fault::secret("a flag");
        let carry = || flags.carry.and_then(|carry| carry.known()).ok_or_else(secret);
        let [zero, sign, overflow, parity] = [flags.zero, flags.sign, flags.overflow, flags.parity]
            .map(|flag| move || flag.ok_or_else(|| Fault::secret("a flag")));
        Ok(match condition {
            C::o => overflow()?,
            C::no => !overflow()?,
            C::b => carry()?,
            C::ae => !carry()?,
            C::e => zero()?,
            C::ne => !zero()?,
            C::be => carry()? || zero()?,
            C::a => !carry()? && !zero()?,
            C::s => sign()?,
            C::ns => !sign()?,
            C::p => parity()?,
            C::np => !parity()?,
            C::l => sign()? != overflow()?,
            C::ge => sign()? == overflow()?,
            C::le => zero()? || sign()? != overflow()?,
            C::g => !zero()? && sign()? == overflow()?,
            C::None => return Err(Fault::no_model("a condition of another kind")),
        })
    }
}
