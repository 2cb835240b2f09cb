//! Instructions on general registers, and those that load and store them.

use super::{
    Aarch64, Flags,
    decode::{Field, Instruction, Logic, Operand, Shift},
};
use crate::{
    algebra::{Bit, NotLinear, add, multiply},
    fault::{Fault, Outcome},
    pointers,
    words::{Word, mask},
};

impl Aarch64 {
    /// Executes an instruction, if it is one of these.
    pub(super) fn integer(&mut self, instruction: &Instruction) -> Outcome<bool> {
        use Instruction as I;
        match *instruction {
            I::Sum { bytes, subtract, carry, flags, to, a, b } => {
                let (a, b) = (self.read(a, bytes), self.operand(&b, bytes));
                let carry = match carry {
                    true => self.registers.flags.carry.ok_or_else(|| Fault::secret("the carry"))?,
                    false => Bit::from(subtract),
                };
                let old = self.registers.flags.clone();
                let sum = self.sum(&a, &b, carry, subtract, bytes);
                if !flags {
                    self.registers.flags = old;
                }
                self.write(to, sum);
            }
            I::Logic { bytes, which, not, flags, to, a, b } => {
                let (a, mut b) = (self.read(a, bytes), self.operand(&b, bytes));
                if not {
                    b = logic(&b, &Word::Known(mask(bytes)), Logic::Xor)?;
                }
                let value = match self.and_of_pointers(which, &a, &b, bytes) {
                    Some(value) => value,
                    None => logic(&a, &b, which)?,
                };
                if flags {
                    self.registers.flags = Flags {
                        negative: Some(value.bits()[8 * bytes - 1]),
                        zero: self.is_zero(&value),
                        carry: Some(Bit::ZERO),
                        overflow: Some(Bit::ZERO),
                    };
                }
                self.write(to, value);
            }
            I::Number { to, value } => self.write(to, Word::Known(value)),
            I::Keep { bytes, to, value, place } => {
                let mut bits = self.read(to, bytes).bits();
                for i in 0..16 {
                    bits[place + i] = Bit::from(value >> i & 1 != 0);
                }
                self.write(to, Word::from_bits(&bits));
            }
            I::Field { bytes, kind, to, from, rotate, last } => {
                let value = self.field(bytes, kind, to, from, rotate, last);
                self.write(to, value);
            }
            I::Extract { bytes, to, high, low, place } => {
                let (high, low, width) = (self.read(high, bytes).bits(), self.read(low, bytes), 8 * bytes);
                let low = if place == 0 { return self.done(to, low) } else { low.bits() };
                let bit = |i: usize| if i + place < width { low[i + place] } else { high[i + place - width] };
                self.write(to, Word::from_bits(&(0..width).map(bit).collect::<Vec<Bit>>()));
            }
            I::Shift { bytes, way, to, value, count } => {
                let count = self.read(count, bytes).known().ok_or_else(|| Fault::secret("a shift count"))?;
                let value = shift(&self.read(value, bytes), way, count as usize % (8 * bytes), bytes);
                self.write(to, value);
            }
            I::Divide { bytes, signed, to, a, b } => {
                let [a, b] = [a, b].map(|i| {
                    let word = self.read(i, bytes);
                    let word = if signed { word.sign_extended(bytes) } else { word };
                    word.known().ok_or_else(|| Fault::secret("a quotient"))
                });
                let (a, b) = (a?, b?);
                let quotient = match (b, signed) {
                    (0, _) => 0,
                    (_, true) => (a as i64).wrapping_div(b as i64) as u64,
                    (_, false) => a / b,
                };
                self.write(to, Word::Known(quotient).low(bytes));
            }
            I::MultiplyAdd { bytes, subtract, to, a, b, plus } => {
                let (a, b) = (self.read(a, bytes), self.read(b, bytes));
                self.multiply_add(bytes, subtract, to, &a, &b, plus)?;
            }
            I::MultiplyLong { signed, subtract, to, a, b, plus } => {
                let [a, b] = [a, b].map(|i| {
                    let word = self.read(i, 4);
                    if signed { word.sign_extended(4) } else { word }
                });
                self.multiply_add(8, subtract, to, &a, &b, plus)?;
            }
            I::MultiplyHigh { signed: false, to, a, b }
                if matches!(self.registers.general[a], Word::Pointer(_))
                    || matches!(self.registers.general[b], Word::Pointer(_)) =>
            {
                // A division by a known number: its quotient is wanted.
                let upper = match (self.read(a, 8), self.read(b, 8)) {
                    (Word::Pointer(x), Word::Known(k)) | (Word::Known(k), Word::Pointer(x)) => {
                        x.upper_product(k)
                    }
                    _ => None,
                };
                let upper = upper.ok_or_else(|| Fault::secret("a product's upper half"))?;
                self.write(to, Word::from(upper));
            }
            I::MultiplyHigh { signed, to, a, b } => {
                let [a, b] = [a, b]
                    .map(|i| self.read(i, 8).known().ok_or_else(|| Fault::secret("a product's upper half")));
                let (a, b) = (a?, b?);
                let high = if signed {
                    ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64
                } else {
                    ((u128::from(a) * u128::from(b)) >> 64) as u64
                };
                self.write(to, Word::Known(high));
            }
            I::Reverse { bytes, group, to, from } => {
                let value = self.read(from, bytes);
                self.write(
                    to,
                    value.moved(|i| {
                        (i < 8 * bytes).then(|| {
                            let byte = i / 8;
                            8 * (byte / group * group + group - 1 - byte % group) + i % 8
                        })
                    }),
                );
            }
            I::ReverseBits { bytes, to, from } => {
                let value = self.read(from, bytes);
                self.write(to, value.moved(|i| (8 * bytes - 1).checked_sub(i)));
            }
            I::LeadingZeros { bytes, to, from } => {
                let value = self.read(from, bytes).known().ok_or_else(|| Fault::secret("what is counted"))?;
                let zeros = u64::from(value.leading_zeros()) + 8 * bytes as u64 - 64;
                self.write(to, Word::Known(zeros));
            }
            I::CompareIf { bytes, subtract, a, b, otherwise, condition } => {
                if self.holds(condition)?.known().ok_or_else(|| Fault::secret("a flag"))? {
                    let (a, b) = (self.read(a, bytes), self.operand(&b, bytes));
                    self.sum(&a, &b, Bit::from(subtract), subtract, bytes);
                } else {
                    let bit = |place: u32| otherwise >> place & 1 != 0;
                    self.registers.flags = Flags {
                        negative: Some(Bit::from(bit(3))),
                        zero: Some(bit(2)),
                        carry: Some(Bit::from(bit(1))),
                        overflow: Some(Bit::from(bit(0))),
                    };
                }
            }
            I::Select { bytes, to, a, b, not, plus, condition } => {
                let a = self.read(a, bytes);
                let b = match (self.read(b, bytes), not, plus) {
                    (b, false, false) => b,
                    (b, true, false) => logic(&b, &Word::Known(mask(bytes)), Logic::Xor)?,
                    // One more; or the negative, which a distance of addresses has, too.
                    (b, not, true) => {
                        let flags = self.registers.flags.clone();
                        let sum = match not {
                            true => self.sum(&Word::Known(0), &b, Bit::ONE, true, bytes),
                            false => self.sum(&b, &Word::Known(1), Bit::ZERO, false, bytes),
                        };
                        self.registers.flags = flags;
                        sum
                    }
                };
                let value = match self.holds(condition).map(|bit| (bit, bit.known())) {
                    Ok((_, Some(true))) => a,
                    Ok((_, Some(false))) => b,
                    _ if a.is_same(&b) => a,
                    Ok((bit, None)) => {
                        self.either(bit, &a, &b).unwrap_or_else(|| self.unknowns.word().low(bytes))
                    }
                    // It takes no other time and no other path. Which one it is, is not known; what needs it fails.
                    Err(_) => self.unknowns.word().low(bytes),
                };
                self.write(to, value);
            }
            I::Transfer { load, vector: false, bytes, signed, first, second, at } => {
                let registers = [Some(first), second];
                // Stored is what the registers hold before the base changes.
                let old = registers.map(|register| register.map(|register| self.read(register, 8)));
                self.access(&at, |machine, address| {
                    for (i, register) in registers.into_iter().flatten().enumerate() {
                        let address = address.wrapping_add((i * bytes) as u64);
                        if load {
                            let mut value = machine.memory.load_word(address, bytes)?;
                            if let Some(to) = signed {
                                value = value.sign_extended(bytes).low(to);
                            }
                            machine.write(register, value);
                        } else if let Some(value) = &old[i] {
                            machine.memory.store_word(address, value, bytes)?;
                        }
                    }
                    Ok(())
                })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// One of two, by a bit that is not known, where that is linear.
    fn either(&self, which: Bit, ones: &Word, zeros: &Word) -> Option<Word> {
        let (ones, zeros, mut bits) = (ones.bits(), zeros.bits(), [Bit::ZERO; 64]);
        for i in 0..64 {
            bits[i] = zeros[i] ^ which.and(ones[i] ^ zeros[i]).ok()?;
        }
        Some(Word::from_bits(&bits))
    }

    fn done(&mut self, to: usize, value: Word) -> Outcome<bool> {
        self.write(to, value);
        Ok(true)
    }

    /// A register's lowest bytes; zeros above them.
    pub(super) fn read(&self, register: usize, bytes: usize) -> Word {
        self.registers.general[register].low(bytes)
    }

    /// A second operand; zeros above its `bytes` bytes.
    pub(super) fn operand(&self, operand: &Operand, bytes: usize) -> Word {
        match *operand {
            Operand::Number(number) => Word::Known(number),
            Operand::Shifted(register, _, 0) => self.read(register, bytes),
            Operand::Shifted(register, way, count) => shift(&self.read(register, bytes), way, count, bytes),
            Operand::Extended { register, bytes: from, signed, left } => {
                let word = self.read(register, from);
                let word = if signed { word.sign_extended(from) } else { word };
                if left == 0 { word.low(bytes) } else { shift(&word, Shift::Left, left, 8).low(bytes) }
            }
        }
    }

    fn field(&self, bytes: usize, kind: Field, to: usize, from: usize, rotate: usize, last: usize) -> Word {
        let (value, width) = (self.read(from, bytes), 8 * bytes);
        if rotate == 0 && last == width - 1 {
            return value;
        }
        if let (Word::Pointer(_), 8, Field::Unsigned) = (&value, bytes, kind) {
            // What compilers call a shift.
            if last == width - 1 {
                return shift(&value, Shift::Right, rotate, bytes);
            } else if last + 1 == rotate {
                return shift(&value, Shift::Left, width - rotate, bytes);
            }
        }
        let source = value.bits();
        let old = self.read(to, bytes).bits();
        // Where the field lies in the result, and how far it moves to the left.
        let (start, len, begin) =
            if last >= rotate { (0, last - rotate + 1, rotate) } else { (width - rotate, last + 1, 0) };
        let bit = |i: usize| match kind {
            _ if (start..start + len).contains(&i) => source[i - start + begin],
            Field::Insert => old[i],
            Field::Signed if i >= start => source[last],
            _ => Bit::ZERO,
        };
        Word::from_bits(&(0..width).map(bit).collect::<Vec<Bit>>())
    }

    fn multiply_add(
        &mut self,
        bytes: usize,
        subtract: bool,
        to: usize,
        a: &Word,
        b: &Word,
        plus: usize,
    ) -> Outcome<()> {
        let product = match (a, b) {
            (Word::Known(x), Word::Known(y)) => Word::Known(x.wrapping_mul(*y)).low(bytes),
            (Word::Pointer(x), Word::Known(k)) | (Word::Known(k), Word::Pointer(x))
                if bytes == 8 && x.times(*k).is_some() =>
            {
                x.times(*k).map_or(Word::Known(0), Word::from)
            }
            (x, Word::Known(k)) | (Word::Known(k), x) => {
                let mut product = vec![Bit::ZERO; 8 * bytes];
                multiply(&x.bits()[..8 * bytes], *k, &mut product)?;
                Word::from_bits(&product)
            }
            _ => return Err(NotLinear.into()),
        };
        let plus = self.read(plus, bytes);
        let flags = self.registers.flags.clone();
        let sum = self.sum(&plus, &product, Bit::from(subtract), subtract, bytes);
        self.registers.flags = flags;
        self.write(to, sum);
        Ok(())
    }

    /// A sum of a base and an offset. What is not known is no address.
    pub(super) fn address_sum(&mut self, base: &Word, offset: &Word) -> Word {
        if let (Some(a), Some(b)) = (base.value(), offset.value())
            && let (Some(value), _) = pointers::sum(a, b, false, |_| None)
        {
            return Word::from(value);
        }
        self.unknowns.word()
    }

    /// AddWithCarry() of the manual: a + b + carry, or a + the complement of b + carry; sets the flags.
    pub(super) fn sum(&mut self, a: &Word, b: &Word, carry: Bit, subtract: bool, bytes: usize) -> Word {
        let (width, inverse) = (8 * bytes, if subtract { mask(bytes) } else { 0 });
        if let (Word::Known(a), Word::Known(b), Some(carry)) = (a, b, carry.known()) {
            let b = (b & mask(bytes)) ^ inverse;
            let sum = u128::from(*a) + u128::from(b) + u128::from(carry);
            let value = sum as u64 & mask(bytes);
            self.registers.flags = Flags {
                negative: Some(Bit::from(value >> (width - 1) & 1 != 0)),
                zero: Some(value == 0),
                carry: Some(Bit::from(sum >> width & 1 != 0)),
                overflow: Some(Bit::from((a ^ value) & (b ^ value) & 1 << (width - 1) != 0)),
            };
            return Word::Known(value);
        }
        if let Some(value) = self.sum_of_pointers(a, b, carry, subtract, bytes) {
            return value;
        }
        let (x, y) = (a.bits(), b.bits().map(|bit| bit ^ Bit::from(subtract)));
        let mut sum = [Bit::ZERO; 64];
        let out = add(&x[..width], &y[..width], carry, &mut sum[..width]);
        let value = match out {
            Ok(_) => Word::from_bits(&sum[..width]),
            Err(NotLinear) => {
                // It may be anything, for all that is known. Where it matters, what follows fails.
                self.counts.unknown_sums += 1;
                self.unknowns.fill(&mut sum[..width]);
                Word::from_bits(&sum[..width])
            }
        };
        self.registers.flags = Flags {
            negative: out.is_ok().then_some(sum[width - 1]),
            zero: out.is_ok().then(|| self.is_zero(&value)).flatten(),
            carry: out.ok().and_then(Result::ok),
            // Compared with 0, nothing overflows.
            overflow: (subtract && carry == Bit::ONE && b.known() == Some(0)).then_some(Bit::ZERO),
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
        // Signs are the same everywhere if the result is a number: an address may lie in either half of the address space.
        let number = match value {
            Some(pointers::Value::Number(_)) => true,
            Some(pointers::Value::Pointer(pointer)) => pointer.is_number(),
            None => false,
        };
        self.registers.flags = known.map_or(Flags::default(), |known| Flags {
            negative: known.sign.filter(|_| number).map(Bit::from),
            zero: known.zero,
            // Of a difference, the carry says that nothing was borrowed.
            carry: known.carry.map(|carry| Bit::from(carry != subtract)),
            overflow: number.then_some(Bit::ZERO),
        });
        Some(match value {
            Some(value) => Word::from(value),
            None => self.unknowns.word(),
        })
    }

    /// Bitwise operations on addresses that give one again: with itself or 0, and where only last bits go.
    fn and_of_pointers(&mut self, which: Logic, a: &Word, b: &Word, bytes: usize) -> Option<Word> {
        if bytes != 8 {
            return None;
        }
        match (which, a, b) {
            (Logic::Or | Logic::Xor, Word::Known(0), pointer) => Some(pointer.clone()),
            (Logic::Or | Logic::Xor, pointer, Word::Known(0)) => Some(pointer.clone()),
            (Logic::And | Logic::Or, Word::Pointer(p), Word::Pointer(q)) if p == q => Some(a.clone()),
            (Logic::And, Word::Pointer(p), Word::Known(k))
            | (Logic::And, Word::Known(k), Word::Pointer(p)) => p.and(*k).map(Word::from),
            // Of its last bits, which are known, some become 1.
            (Logic::Or, Word::Pointer(p), Word::Known(k)) | (Logic::Or, Word::Known(k), Word::Pointer(p))
                if k >> p.known_bits() == 0 =>
            {
                let added = pointers::Value::Number(k & !p.at);
                pointers::sum(pointers::Value::Pointer(*p), added, false, |_| None).0.map(Word::from)
            }
            _ => self.comparison_of_pointers(which, a, b),
        }
    }

    /// Whether two addresses are the same, as their exclusive or says it: 0, or not 0; and anything that is or-ed with that.
    fn comparison_of_pointers(&mut self, which: Logic, a: &Word, b: &Word) -> Option<Word> {
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
            (Logic::Or, Word::Bits(_), _) | (Logic::Or, _, Word::Bits(_)) => {
                let not_zero =
                    |word: &Word| matches!(word, Word::Bits(bits) if self.not_zero.contains(&bits[..]));
                if !not_zero(a) && !not_zero(b) {
                    return None;
                }
            }
            _ => return None,
        }
        let value = self.unknowns.word();
        self.not_zero.insert(value.bits().to_vec());
        Some(value)
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
    // A number that depends on n.
    if let (Word::Pointer(number), Shift::Left | Shift::Right, 8) = (value, way, bytes)
        && let Some(shifted) = number.shifted(count as u32, matches!(way, Shift::Left))
    {
        return Word::from(shifted);
    }
    let from = |i: usize| match way {
        Shift::Left => i.checked_sub(count),
        Shift::Right => Some(i + count).filter(|&i| i < width),
        Shift::RightSigned => Some((i + count).min(width - 1)),
        Shift::Rotate => Some((i + count) % width),
    };
    match (value, way) {
        (Word::Known(value), Shift::Left) => Word::Known(value << count & mask(bytes)),
        (Word::Known(value), Shift::Right) => Word::Known(value >> count),
        _ => value.moved(|i| if i < width { from(i) } else { None }),
    }
}
