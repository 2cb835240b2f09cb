//! Instructions on general and mask registers.

use iced_x86::{Instruction, OpKind};

use super::{
    Flags, RAX, RDX, X86,
    models::{Integer, Shift},
    operand::{is, size},
};
use crate::{
    algebra::{Bit, NotLinear, add, multiply},
    fault::{Fault, Outcome},
    pointers::{self, Pointer},
    words::{Word, mask},
};

/// A bitwise operation.
#[derive(Clone, Copy)]
enum Logic {
    And,
    Or,
    Xor,
}

impl X86 {
    pub(super) fn integer(&mut self, instruction: &Instruction, model: Integer) -> Outcome<()> {
        let bytes = size(instruction, 0);
        match model {
            Integer::Move => {
                let value = self.read(instruction, 1)?;
                self.write(instruction, 0, &value)
            }
            Integer::MoveSigned => {
                let value = self.read(instruction, 1)?.sign_extended(size(instruction, 1)).low(bytes);
                self.write(instruction, 0, &value)
            }
            Integer::MoveIf => {
                // Both are read, whatever the condition, and the upper half becomes 0 in any case.
                let (old, new) = (self.read(instruction, 0)?, self.read(instruction, 1)?);
                let value = match self.holds(instruction.condition_code()) {
                    Ok(true) => new,
                    Ok(false) => old,
                    // It takes no other time and no other path. Which one it is, is not known; what needs it fails.
                    Err(_) if old.is_same(&new) => old,
                    Err(_) => self.unknowns.word().low(bytes),
                };
                self.write(instruction, 0, &value)
            }
            Integer::SetIf => self.set_if(instruction),
            Integer::MoveSwapped => {
                let value = swapped(&self.read(instruction, 1)?, bytes);
                self.write(instruction, 0, &value)
            }
            Integer::SwapBytes => {
                let value = swapped(&self.read(instruction, 0)?, bytes);
                self.write(instruction, 0, &value)
            }
            Integer::Address => {
                let value = self.effective(instruction)?.low(bytes);
                self.write(instruction, 0, &value)
            }
            Integer::Exchange => {
                let (a, b) = (self.read(instruction, 0)?, self.read(instruction, 1)?);
                self.write(instruction, 0, &b)?;
                self.write(instruction, 1, &a)
            }
            Integer::Add { carry } => {
                let carry = if carry { self.carry()? } else { Bit::ZERO };
                self.sum_of_operands(instruction, carry, false, true)
            }
            Integer::Sub { borrow } => {
                let borrow = if borrow { self.carry()? } else { Bit::ZERO };
                self.sum_of_operands(instruction, borrow, true, true)
            }
            Integer::Compare => self.sum_of_operands(instruction, Bit::ZERO, true, false),
            Integer::Increment | Integer::Decrement => {
                let (carry, down) = (self.registers.flags.carry, matches!(model, Integer::Decrement));
                let value = self.read(instruction, 0)?;
                let value = self.sum(&value, &Word::Known(1), Bit::ZERO, down, bytes);
                self.registers.flags.carry = carry;
                self.write(instruction, 0, &value)
            }
            Integer::Negate => {
                let value = self.read(instruction, 0)?;
                let value = self.sum(&Word::Known(0), &value, Bit::ZERO, true, bytes);
                self.write(instruction, 0, &value)
            }
            Integer::Not => {
                let value = logic(&self.read(instruction, 0)?, &Word::Known(mask(bytes)), Logic::Xor)?;
                self.write(instruction, 0, &value)
            }
            Integer::And => self.logic_of_operands(instruction, Logic::And, true),
            Integer::Test => self.logic_of_operands(instruction, Logic::And, false),
            Integer::Or => self.logic_of_operands(instruction, Logic::Or, true),
            Integer::Xor => self.logic_of_operands(instruction, Logic::Xor, true),
            Integer::AndNot => {
                let (a, b) = (self.read(instruction, 1)?, self.read(instruction, 2)?);
                let not = logic(&a, &Word::Known(mask(bytes)), Logic::Xor)?;
                let value = logic(&not, &b, Logic::And)?;
                self.flags_of_logic(&value, bytes);
                self.registers.flags.parity = None;
                self.write(instruction, 0, &value)
            }
            Integer::Shift(way) => {
                let value = self.read(instruction, 0)?;
                let count = self.count(instruction, 1)? & if bytes == 8 { 63 } else { 31 };
                if count == 0 {
                    // A register's upper half becomes 0 all the same; flags stay.
                    return self.write(instruction, 0, &value);
                }
                if let Some(shifted) = Self::shift_of_number(&value, way, count, bytes) {
                    match &shifted {
                        Word::Pointer(number) => self.flags_of_number(*number),
                        _ => self.flags_of_logic(&shifted, bytes),
                    }
                    self.registers.flags.carry = None;
                    self.registers.flags.overflow = None;
                    return self.write(instruction, 0, &shifted);
                }
                let shifted = shift(&value, way, count as usize, bytes);
                self.flags_of_shift(&value, &shifted, way, count as usize, bytes);
                self.write(instruction, 0, &shifted)
            }
            Integer::ShiftInto(way) => {
                let value = self.read(instruction, 1)?;
                let count = self.count(instruction, 2)? & if bytes == 8 { 63 } else { 31 };
                let shifted = Self::shift_of_number(&value, way, count, bytes);
                let shifted = shifted.unwrap_or_else(|| shift(&value, way, count as usize, bytes));
                self.write(instruction, 0, &shifted)
            }
            Integer::ShiftDouble { left } => self.shift_double(instruction, left),
            Integer::Multiply => self.multiply(instruction),
            Integer::MultiplyWide | Integer::MultiplyWideInto => self.multiply_wide(instruction, model),
            Integer::Divide => self.divide(instruction),
            Integer::TrailingZeros { counts } => {
                let value = self.read_known(instruction, 1, "what is counted")?;
                let zeros = u64::from(value.trailing_zeros()).min(8 * bytes as u64);
                self.counted(instruction, value, zeros, counts)
            }
            Integer::LeadingZeros { counts } => {
                let value = self.read_known(instruction, 1, "what is counted")?;
                let zeros = u64::from(value.leading_zeros()) + 8 * bytes as u64 - 64;
                let place = (8 * bytes as u64).wrapping_sub(zeros + 1);
                self.counted(instruction, value, if counts { zeros } else { place }, counts)
            }
            Integer::CountOnes => {
                let value = self.read_known(instruction, 1, "what is counted")?;
                self.registers.flags = Flags {
                    carry: Some(Bit::ZERO),
                    zero: Some(value == 0),
                    sign: Some(false),
                    overflow: Some(false),
                    parity: Some(false),
                };
                self.write(instruction, 0, &Word::Known(u64::from(value.count_ones())))
            }
            Integer::TestBit => {
                if super::operand::is_memory(instruction, 0) && instruction.op_kind(1) == OpKind::Register {
                    return Err(Fault::no_model("a bit beside its memory operand"));
                }
                let value = self.read(instruction, 0)?;
                let place = self.read_known(instruction, 1, "a bit's place")? as usize % (8 * bytes);
                let flags = &mut self.registers.flags;
                *flags = Flags { carry: Some(value.bits()[place]), zero: flags.zero, ..Flags::default() };
                Ok(())
            }
            Integer::ExtendSigned => {
                self.registers.general[RAX] = self.registers.general[RAX].sign_extended(4);
                Ok(())
            }
            Integer::MaskMove(bytes) => self.mask_move(instruction, bytes),
            Integer::MaskXor { bytes, not } => {
                let [to, a, b] = [0, 1, 2].map(|i| instruction.op_register(i).number());
                let masks = &mut self.registers.masks;
                let value = logic(&masks[a], &masks[b], Logic::Xor)?.low(bytes);
                let inverse = Word::Known(if not { mask(bytes) } else { 0 });
                masks[to] = logic(&value, &inverse, Logic::Xor)?;
                Ok(())
            }
        }
    }

    fn carry(&self) -> Outcome<Bit> {
        self.registers.flags.carry.ok_or_else(|| Fault::secret("a flag"))
    }

    /// A count in cl, another register, or at hand.
    fn count(&mut self, instruction: &Instruction, operand: u32) -> Outcome<u64> {
        let count = match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand).full_register().number();
                self.registers.general[register].low(1).known()
            }
            _ => Some(instruction.immediate(operand)),
        };
        count.ok_or_else(|| Fault::secret("a shift count"))
    }

    fn set_if(&mut self, instruction: &Instruction) -> Outcome<()> {
        use iced_x86::ConditionCode as C;
        // A carry may be a secret that goes on as a number.
        let value = match instruction.condition_code() {
            C::b if self.carry().is_ok() => Word::from_bits(&[self.carry()?]),
            C::ae if self.carry().is_ok() => Word::from_bits(&[!self.carry()?]),
            condition => match self.holds(condition) {
                Ok(holds) => Word::Known(u64::from(holds)),
                Err(_) => Word::from_bits(&[self.unknowns.word().bits()[0]]),
            },
        };
        self.write(instruction, 0, &value)
    }

    fn flags_of_result(&mut self, value: &Word, bytes: usize) {
        let not_zero = self.is_not_zero(value);
        let flags = &mut self.registers.flags;
        let value = value.known();
        flags.zero = if not_zero { Some(false) } else { value.map(|value| value == 0) };
        flags.sign = value.map(|value| value >> (8 * bytes - 1) & 1 != 0);
        flags.parity = value.map(|value| (value as u8).count_ones().is_multiple_of(2));
    }

    fn flags_of_logic(&mut self, value: &Word, bytes: usize) {
        self.flags_of_result(value, bytes);
        self.registers.flags.carry = Some(Bit::ZERO);
        self.registers.flags.overflow = Some(false);
    }

    fn logic_of_operands(&mut self, instruction: &Instruction, which: Logic, keep: bool) -> Outcome<()> {
        let (a, b) = (self.read(instruction, 0)?, self.read(instruction, 1)?);
        if matches!(which, Logic::And)
            && let Some(value) = self.and_of_pointers(&a, &b, size(instruction, 0))
        {
            return if keep { self.write(instruction, 0, &value) } else { Ok(()) };
        }
        if let Some(value) = self.comparison_of_pointers(&a, &b, which) {
            self.flags_of_logic(&value, size(instruction, 0));
            return if keep { self.write(instruction, 0, &value) } else { Ok(()) };
        }
        let value = logic(&a, &b, which)?;
        self.flags_of_logic(&value, size(instruction, 0));
        if keep { self.write(instruction, 0, &value) } else { Ok(()) }
    }

    fn sum_of_operands(
        &mut self,
        instruction: &Instruction,
        carry: Bit,
        subtract: bool,
        keep: bool,
    ) -> Outcome<()> {
        let (a, b) = (self.read(instruction, 0)?, self.read(instruction, 1)?);
        let value = self.sum(&a, &b, carry, subtract, size(instruction, 0));
        if keep { self.write(instruction, 0, &value) } else { Ok(()) }
    }

    /// a + b + carry, or a - b - carry (which is a, plus the complement of b, plus that of the carry); sets the flags.
    fn sum(&mut self, a: &Word, b: &Word, carry: Bit, subtract: bool, bytes: usize) -> Word {
        let (width, inverse) = (8 * bytes, if subtract { mask(bytes) } else { 0 });
        let carry = carry ^ Bit::from(subtract);
        if let (Word::Known(a), Word::Known(b), Some(carry)) = (a, b, carry.known()) {
            let b = b ^ inverse;
            let sum = u128::from(*a) + u128::from(b) + u128::from(carry);
            let value = sum as u64 & mask(bytes);
            let flags = &mut self.registers.flags;
            flags.carry = Some(Bit::from((sum >> width & 1 != 0) != subtract));
            flags.overflow = Some((a ^ value) & (b ^ value) & 1 << (width - 1) != 0);
            let value = Word::Known(value);
            self.flags_of_result(&value, bytes);
            return value;
        }
        if let Some(value) = self.sum_of_pointers(a, b, carry, subtract, bytes) {
            return value;
        }
        let (a, b) = (a.bits(), b.bits().map(|bit| bit ^ Bit::from(subtract)));
        let mut sum = [Bit::ZERO; 64];
        let out = add(&a[..width], &b[..width], carry, &mut sum[..width]);
        let value = match out {
            Ok(_) => Word::from_bits(&sum[..width]),
            Err(NotLinear) => {
                // It may be anything, for all that is known. Where it matters, what follows fails.
                self.counts.unknown_sums += 1;
                self.unknowns.fill(&mut sum[..width]);
                Word::from_bits(&sum[..width])
            }
        };
        self.flags_of_result(&value, bytes);
        self.registers.flags.overflow = None;
        self.registers.flags.carry = match out {
            Ok(Ok(carry)) => Some(carry ^ Bit::from(subtract)),
            _ => None,
        };
        value
    }

    /// The same for addresses in regions that may lie anywhere.
    fn sum_of_pointers(
        &mut self,
        a: &Word,
        b: &Word,
        carry: Bit,
        subtract: bool,
        bytes: usize,
    ) -> Option<Word> {
        let (a, b) = (a.value()?, b.value()?);
        if bytes != 8 || carry != Bit::from(subtract) {
            return None;
        }
        let memory = &self.memory;
        let (value, known) = pointers::sum(a, b, subtract, |region| memory.length_of(region));
        self.registers.flags = known.map_or(Flags::default(), |known| Flags {
            carry: known.carry.map(Bit::from),
            zero: known.zero,
            sign: known.sign,
            overflow: Some(false),
            parity: None,
        });
        Some(match value {
            Some(value) => Word::from(value),
            None => self.unknowns.word(),
        })
    }

    /// Whether two addresses are the same, as their exclusive or says it: 0, or not 0; and anything that is or-ed with that.
    fn comparison_of_pointers(&mut self, a: &Word, b: &Word, which: Logic) -> Option<Word> {
        match (which, a, b) {
            (Logic::Xor, Word::Pointer(p), Word::Pointer(q)) => {
                if p == q {
                    return Some(Word::Known(0));
                }
                let [p, q] = [*p, *q].map(pointers::Value::Pointer);
                let memory = &self.memory;
                let (_, known) = pointers::sum(p, q, true, |region| memory.length_of(region));
                known.filter(|known| known.zero == Some(false))?;
            }
            (Logic::Or, _, Word::Known(0)) | (Logic::Or, Word::Known(0), _) => return None,
            (Logic::Or, a, b) if self.is_not_zero(a) || self.is_not_zero(b) => {}
            _ => return None,
        }
        let value = self.unknowns.word();
        self.not_zero.insert(value.bits().to_vec());
        Some(value)
    }

    /// Whether a word is known not to be 0, though not what it is.
    fn is_not_zero(&self, word: &Word) -> bool {
        match word {
            Word::Known(_) => false,
            Word::Pointer(pointer) => pointer.address().is_some() || pointer.sign().zero == Some(false),
            // As a whole: of a part of it nothing is known.
            Word::Bits(bits) => self.not_zero.contains(&bits[..]),
        }
    }

    /// And of addresses: those that are tested for being null, and parts whose bits are known.
    fn and_of_pointers(&mut self, a: &Word, b: &Word, bytes: usize) -> Option<Word> {
        let value = match (a, b) {
            _ if bytes != 8 => return None,
            (Word::Pointer(p), Word::Pointer(q)) if p == q => a.clone(),
            (Word::Pointer(p), Word::Known(k)) | (Word::Known(k), Word::Pointer(p)) => {
                // Only last bits go, or only they stay.
                Word::from(p.and(*k)?)
            }
            _ => return None,
        };
        if let Word::Known(_) = value {
            self.flags_of_logic(&value, bytes);
            return Some(value);
        }
        if let Word::Pointer(number) = &value
            && number.is_number()
        {
            self.flags_of_number(*number);
            return Some(value);
        }
        // No address is 0.
        self.registers.flags = Flags {
            carry: Some(Bit::ZERO),
            zero: value.address().map(|_| false),
            sign: value.address().map(|_| false),
            overflow: Some(false),
            parity: None,
        };
        Some(value)
    }

    /// The flags of a number that depends on n, as logic sets them.
    fn flags_of_number(&mut self, number: Pointer) {
        let known = number.sign();
        self.registers.flags = Flags {
            carry: Some(Bit::ZERO),
            zero: known.zero,
            sign: known.sign,
            overflow: Some(false),
            parity: None,
        };
    }

    /// A shift of a number that depends on n.
    fn shift_of_number(value: &Word, way: Shift, count: u64, bytes: usize) -> Option<Word> {
        match (value, way) {
            (Word::Pointer(number), Shift::Left | Shift::Right) if bytes == 8 => {
                number.shifted(count as u32, matches!(way, Shift::Left)).map(Word::from)
            }
            _ => None,
        }
    }

    fn flags_of_shift(&mut self, old: &Word, new: &Word, way: Shift, count: usize, bytes: usize) {
        let (old, bits, width) = (old.bits(), new.bits(), 8 * bytes);
        if !matches!(way, Shift::RotateLeft | Shift::RotateRight) {
            self.flags_of_result(new, bytes);
        }
        self.registers.flags.overflow = None;
        self.registers.flags.carry = Some(match way {
            Shift::Left if count > width => Bit::ZERO,
            Shift::Right if count > width => Bit::ZERO,
            Shift::Left => old[width - count],
            Shift::Right | Shift::RightSigned => old[(count - 1).min(width - 1)],
            Shift::RotateLeft => bits[0],
            Shift::RotateRight => bits[width - 1],
        });
    }

    fn shift_double(&mut self, instruction: &Instruction, left: bool) -> Outcome<()> {
        let bytes = size(instruction, 0);
        if bytes == 2 {
            return Err(Fault::no_model("a double shift of 16 bits"));
        }
        let (a, b) = (self.read(instruction, 0)?, self.read(instruction, 1)?);
        let (width, count) =
            (8 * bytes, self.count(instruction, 2)? as usize & if bytes == 8 { 63 } else { 31 });
        if count == 0 {
            return self.write(instruction, 0, &a);
        }
        let (x, y) = (a.bits(), b.bits());
        let bit = |i: usize| match (left, i) {
            (true, i) if i >= count => x[i - count],
            (true, i) => y[width - count + i],
            (false, i) if i + count < width => x[i + count],
            (false, i) => y[i + count - width],
        };
        let value = Word::from_bits(&(0..width).map(bit).collect::<Vec<Bit>>());
        self.flags_of_result(&value, bytes);
        self.registers.flags.carry = Some(if left { x[width - count] } else { x[count - 1] });
        self.registers.flags.overflow = None;
        self.write(instruction, 0, &value)
    }

    fn multiply(&mut self, instruction: &Instruction) -> Outcome<()> {
        let bytes = size(instruction, 0);
        let (a, b) = if instruction.op_count() == 2 {
            (self.read(instruction, 0)?, self.read(instruction, 1)?)
        } else {
            (self.read(instruction, 1)?, self.read(instruction, 2)?)
        };
        self.registers.flags = Flags::default();
        let value = match (&a, &b) {
            (Word::Known(_), Word::Known(_)) => {
                let [x, y] = [a.sign_extended(bytes), b.sign_extended(bytes)]
                    .map(|word| i128::from(word.known().unwrap_or(0) as i64));
                let product = Word::Known((x * y) as u64).low(bytes);
                let whole = product.sign_extended(bytes).known().unwrap_or(0) as i64;
                let lost = i128::from(whole) != x * y;
                self.registers.flags.carry = Some(Bit::from(lost));
                self.registers.flags.overflow = Some(lost);
                product
            }
            (Word::Pointer(x), Word::Known(k)) | (Word::Known(k), Word::Pointer(x))
                if bytes == 8 && x.times(*k).is_some() =>
            {
                // It is below 2^62.
                self.registers.flags.carry = Some(Bit::ZERO);
                self.registers.flags.overflow = Some(false);
                x.times(*k).map_or(Word::Known(0), Word::from)
            }
            (x, Word::Known(k)) | (Word::Known(k), x) => {
                let mut product = vec![Bit::ZERO; 8 * bytes];
                multiply(&x.bits()[..8 * bytes], *k, &mut product)?;
                Word::from_bits(&product)
            }
            _ => return Err(NotLinear.into()),
        };
        self.write(instruction, 0, &value)
    }

    fn multiply_wide(&mut self, instruction: &Instruction, model: Integer) -> Outcome<()> {
        if size(instruction, 0) != 8 {
            return Err(Fault::no_model("a wide product of less than 64 bits"));
        }
        let into = matches!(model, Integer::MultiplyWideInto);
        let which = if into { RDX } else { RAX };
        if let Word::Pointer(number) = self.registers.general[which].clone() {
            // A division by a known number: its quotient is wanted.
            let factor = self.read_known(instruction, if into { 2 } else { 0 }, "a factor")?;
            let upper = number.upper_product(factor).ok_or_else(|| Fault::secret("a factor"))?;
            let lower = self.unknowns.word();
            if into {
                self.write(instruction, 1, &lower)?;
                return self.write(instruction, 0, &Word::from(upper));
            }
            self.registers.general[RAX] = lower;
            self.registers.general[RDX] = Word::from(upper);
            self.registers.flags = Flags::default();
            return Ok(());
        }
        let implied = self.known_general(which)?;
        let factor = self.read_known(instruction, if into { 2 } else { 0 }, "a factor")?;
        let product = u128::from(implied) * u128::from(factor);
        let [low, high] = [product, product >> 64].map(|half| Word::Known(half as u64));
        if into {
            self.write(instruction, 1, &low)?;
            return self.write(instruction, 0, &high);
        }
        let over = product >> 64 != 0;
        self.registers.general[RAX] = low;
        self.registers.general[RDX] = high;
        self.registers.flags =
            Flags { carry: Some(Bit::from(over)), overflow: Some(over), ..Flags::default() };
        Ok(())
    }

    fn divide(&mut self, instruction: &Instruction) -> Outcome<()> {
        let bytes = size(instruction, 0);
        let divisor = u128::from(self.read_known(instruction, 0, "a divisor")?);
        let part = |machine: &Self, register: usize, bytes| {
            machine.registers.general[register].low(bytes).known().ok_or_else(|| Fault::secret("a dividend"))
        };
        self.registers.flags = Flags::default();
        let dividend = if bytes == 1 {
            u128::from(part(self, RAX, 2)?)
        } else {
            u128::from(part(self, RAX, bytes)?) | u128::from(part(self, RDX, bytes)?) << (8 * bytes)
        };
        if divisor == 0 || dividend / divisor > u128::from(mask(bytes)) {
            return Err(Fault::new(crate::fault::Kind::Convention, "a division that traps"));
        }
        let (quotient, rest) = ((dividend / divisor) as u64, (dividend % divisor) as u64);
        match bytes {
            1 => {
                let old = self.known_general(RAX)?;
                self.registers.general[RAX] = Word::Known(old & !0xffff | quotient | rest << 8);
            }
            4 | 8 => {
                self.registers.general[RAX] = Word::Known(quotient);
                self.registers.general[RDX] = Word::Known(rest);
            }
            _ => return Err(Fault::no_model("a division of 16 bits")),
        }
        Ok(())
    }

    /// The end of a count of zeros: where a count (`counts`) of 0 has a result, and where a place has none.
    fn counted(&mut self, instruction: &Instruction, value: u64, result: u64, counts: bool) -> Outcome<()> {
        self.registers.flags = Flags {
            carry: counts.then(|| Bit::from(value == 0)),
            zero: Some(if counts { result == 0 } else { value == 0 }),
            ..Flags::default()
        };
        if value == 0 && !counts {
            return Err(Fault::no_model("the place of a bit of 0"));
        }
        self.write(instruction, 0, &Word::Known(result))
    }

    fn mask_move(&mut self, instruction: &Instruction, bytes: usize) -> Outcome<()> {
        let value = if is(instruction, 1, |register| register.is_k()) {
            self.registers.masks[instruction.op_register(1).number()].low(bytes)
        } else {
            self.read(instruction, 1)?.low(bytes)
        };
        if is(instruction, 0, |register| register.is_k()) {
            self.registers.masks[instruction.op_register(0).number()] = value;
            Ok(())
        } else {
            self.write(instruction, 0, &value)
        }
    }
}

fn logic(a: &Word, b: &Word, which: Logic) -> Outcome<Word> {
    if let (Word::Known(a), Word::Known(b)) = (a, b) {
        return Ok(Word::Known(match which {
            Logic::And => a & b,
            Logic::Or => a | b,
            Logic::Xor => a ^ b,
        }));
    }
    let (a, b, mut out) = (a.bits(), b.bits(), [Bit::ZERO; 64]);
    for i in 0..64 {
        out[i] = match which {
            Logic::And => a[i].and(b[i])?,
            Logic::Or => a[i].or(b[i])?,
            Logic::Xor => a[i] ^ b[i],
        };
    }
    Ok(Word::from_bits(&out))
}

fn shift(value: &Word, way: Shift, count: usize, bytes: usize) -> Word {
    let width = 8 * bytes;
    let from = |i: usize| match way {
        Shift::Left => i.checked_sub(count),
        Shift::Right => Some(i + count).filter(|&i| i < width),
        Shift::RightSigned => Some((i + count).min(width - 1)),
        Shift::RotateLeft => Some((i + width - count % width) % width),
        Shift::RotateRight => Some((i + count) % width),
    };
    value.moved(|i| if i < width { from(i) } else { None })
}

fn swapped(value: &Word, bytes: usize) -> Word {
    value.moved(|i| (i < 8 * bytes).then(|| 8 * (bytes - 1 - i / 8) + i % 8))
}
