//! Instructions on vector registers. A vector is four lanes of 128 bits; an instruction has the first one, two or four.

use iced_x86::{EncodingKind, Instruction, Mnemonic as M, OpKind};

use super::{
    Flags, Vector, X86,
    models::{Operation, Shift},
    operand::{is, is_memory, repeated, size},
};
use crate::{
    aes,
    algebra::{self, Bit, Function, NotLinear, add},
    fault::{Fault, Kind, Outcome},
    pointers,
    rounds::Round,
    words::{Lane, Word},
};

const ZERO: Vector = [Lane::ZERO; 4];

/// How many lanes an instruction has: those of its first vector register.
fn lanes(instruction: &Instruction) -> usize {
    (0..instruction.op_count())
        .find(|&i| is(instruction, i, |register| register.is_vector_register()))
        .map_or(1, |i| instruction.op_register(i).size() / 16)
}

/// Whether an instruction writes over its first source, and leaves the upper lanes.
fn is_legacy(instruction: &Instruction) -> bool {
    instruction.encoding() == EncodingKind::Legacy
}

/// The operands that are the two sources.
fn sources(instruction: &Instruction) -> (u32, u32) {
    if is_legacy(instruction) { (0, 1) } else { (1, 2) }
}

/// What is at hand: the last operand.
fn immediate(instruction: &Instruction) -> usize {
    instruction.immediate(instruction.op_count() - 1) as usize
}

/// Elements of `size` bytes, each from a place among those of `from`.
fn pick(from: &[Lane], size: usize, lanes: usize, place: impl Fn(usize) -> usize) -> Vector {
    let bits: Vec<Bit> = from.iter().flat_map(Lane::bits).collect();
    let (per_lane, width) = (16 / size, 8 * size);
    std::array::from_fn(|lane| {
        if lane >= lanes {
            return Lane::ZERO;
        }
        let mut out = [Bit::ZERO; 128];
        for i in 0..per_lane {
            let at = width * place(lane * per_lane + i);
            out[width * i..width * (i + 1)].copy_from_slice(&bits[at..at + width]);
        }
        Lane::from_bits(&out)
    })
}

fn known(lane: &Lane, what: &str) -> Outcome<u128> {
    lane.known().ok_or_else(|| Fault::secret(what))
}

/// Shifts elements of `size` bytes by so many bits each.
fn shift(lane: &Lane, size: usize, way: Shift, count: impl Fn(usize) -> u64) -> Lane {
    let (bits, width, mut out) = (lane.bits(), 8 * size, [Bit::ZERO; 128]);
    for (e, element) in out.chunks_mut(width).enumerate() {
        let (count, from) = (count(e).min(width as u64) as usize, &bits[width * e..width * (e + 1)]);
        for i in 0..width {
            element[i] = match way {
                Shift::Left if i >= count => from[i - count],
                Shift::Right if i + count < width => from[i + count],
                Shift::RightSigned => from[(i + count).min(width - 1)],
                _ => Bit::ZERO,
            };
        }
    }
    Lane::from_bits(&out)
}

/// f(a, b, c), whose value for a, b and c is bit 4a + 2b + c of `table`: as a polynomial over GF(2).
fn ternary(table: usize, a: &Lane, b: &Lane, c: &Lane) -> Outcome<Lane> {
    if table == 0x96 {
        return Ok(a.xor(b).xor(c));
    }
    let mut polynomial: [bool; 8] = std::array::from_fn(|i| table >> i & 1 != 0);
    for variable in [1, 2, 4] {
        for i in 0..8 {
            if i & variable != 0 {
                polynomial[i] ^= polynomial[i ^ variable];
            }
        }
    }
    let (a, b, c, mut out) = (a.bits(), b.bits(), c.bits(), [Bit::ZERO; 128]);
    for i in 0..128 {
        for (term, _) in polynomial.iter().enumerate().filter(|(_, present)| **present) {
            let mut product = Bit::ONE;
            for (variable, bit) in [(4, a[i]), (2, b[i]), (1, c[i])] {
                if term & variable != 0 {
                    product = product.and(bit)?;
                }
            }
            out[i] = out[i] ^ product;
        }
    }
    Ok(Lane::from_bits(&out))
}

/// One of two numbers that is known, and the other one.
fn one_known<'a>(a: &'a [Bit], b: &'a [Bit]) -> Result<(u64, &'a [Bit]), NotLinear> {
    match (Word::from_bits(a), Word::from_bits(b)) {
        (Word::Known(k), _) => Ok((k, b)),
        (_, Word::Known(k)) => Ok((k, a)),
        _ => Err(NotLinear),
    }
}

/// Whether a > b, as signed numbers, where that is one bit: both known, or one 0 or -1.
fn greater(a: &[Bit], b: &[Bit]) -> Result<Bit, NotLinear> {
    let sign = a.len() - 1;
    let bytes = a.len() / 8;
    match (Word::from_bits(a), Word::from_bits(b)) {
        (Word::Known(x), Word::Known(y)) => {
            let signed = |x| Word::Known(x).sign_extended(bytes).known().unwrap_or(0) as i64;
            Ok(Bit::from(signed(x) > signed(y)))
        }
        // Is b negative? Is a not?
        (Word::Known(0), _) => Ok(b[sign]),
        (_, Word::Known(y)) if y == crate::words::mask(bytes) => Ok(!a[sign]),
        _ => Err(NotLinear),
    }
}

impl X86 {
    pub(super) fn vector(&mut self, instruction: &Instruction, model: Operation) -> Outcome<()> {
        use Operation as O;
        let n = lanes(instruction);
        match model {
            O::Move(_)
            | O::MoveStreaming
            | O::MoveLow(_)
            | O::MoveHalf { .. }
            | O::RepeatLane
            | O::Repeat(_)
            | O::InsertLanes { .. }
            | O::ExtractLanes { .. }
            | O::Extract(_)
            | O::Insert(_)
            | O::Signs(_)
            | O::ZeroUpper
            | O::ZeroAll => self.vector_move(instruction, model, n),
            O::Xor(element) => self.by_lane(instruction, element, |a, b| Ok(a.xor(b))),
            O::And(element) => self.by_lane(instruction, element, |a, b| Ok(a.and(b)?)),
            O::AndNot(element) => self.by_lane(instruction, element, |a, b| Ok(a.not().and(b)?)),
            O::Or(element) => self.by_lane(instruction, element, |a, b| Ok(a.zip(b, Bit::or)?)),
            O::Ternary(element) => {
                let table = immediate(instruction);
                let [a, b, c] = [0, 1, 2].map(|i| self.vector_read(instruction, i, n));
                let (a, b, c, mut out) = (a?, b?, c?, ZERO);
                for i in 0..n {
                    out[i] = ternary(table, &a[i], &b[i], &c[i])?;
                }
                self.vector_write(instruction, out, n, element)
            }
            O::Shift(element, way) => self.vector_shift(instruction, n, element, way),
            O::ShiftEach(element, way) => self.by_lane(instruction, element, |a, counts| {
                let counts = known(counts, "a shift count")?;
                let count = |e: usize| (counts >> (8 * element * e)) as u64 & crate::words::mask(element);
                Ok(shift(a, element, way, count))
            }),
            O::ShiftLane { left } => {
                let (last, count) = (instruction.op_count() - 1, immediate(instruction).min(16));
                let a = self.vector_read(instruction, last - 1, n)?;
                let place = |i: usize| {
                    if left { i.checked_sub(count) } else { Some(i + count).filter(|&i| i < 16) }
                };
                let out = std::array::from_fn(|i| if i < n { a[i].bytes(place) } else { Lane::ZERO });
                self.vector_write(instruction, out, n, 1)
            }
            O::Align => {
                let count = immediate(instruction);
                self.by_lane(instruction, 1, |a, b| {
                    let both = [b.clone(), a.clone(), Lane::ZERO];
                    Ok(pick(&both, 1, 1, |i| (i + count).min(32))[0].clone())
                })
            }
            O::Test => self.test(instruction, n),
            O::TestEach { element, none } => self.test_each(instruction, n, element, none),
            O::Add(element) => self.vector_sum(instruction, element, false),
            O::Sub(element) => self.vector_sum(instruction, element, true),
            O::Greater(element) => self.by_lane(instruction, element, |a, b| {
                Ok(a.elements(b, 8 * element, |a, b, out| {
                    out.fill(greater(a, b)?);
                    Ok(())
                })?)
            }),
            O::Equal(element) => self.by_lane(instruction, element, |a, b| {
                Ok(a.elements(b, 8 * element, |a, b, out| {
                    // Known to differ somewhere, or known to be the same everywhere.
                    let mut equal = Ok(true);
                    for (a, b) in a.iter().zip(b) {
                        match (*a ^ *b).known() {
                            Some(false) => {}
                            Some(true) => {
                                equal = Ok(false);
                                break;
                            }
                            None => equal = Err(NotLinear),
                        }
                    }
                    out.fill(Bit::from(equal?));
                    Ok(())
                })?)
            }),
            O::MultiplyWords { high } => self.by_lane(instruction, 2, |a, b| {
                Ok(a.elements(b, 16, |a, b, out| {
                    let (k, x) = one_known(a, b)?;
                    let (mut wide, mut product) = ([Bit::ZERO; 32], [Bit::ZERO; 32]);
                    wide[..16].copy_from_slice(x);
                    algebra::multiply(&wide, k, &mut product)?;
                    out.copy_from_slice(&product[if high { 16..32 } else { 0..16 }]);
                    Ok(())
                })?)
            }),
            O::MultiplyDoubleWords => self.by_lane(instruction, 8, |a, b| {
                Ok(a.elements(b, 64, |a, b, out| {
                    let (k, x) = one_known(&a[..32], &b[..32])?;
                    let mut wide = [Bit::ZERO; 64];
                    wide[..32].copy_from_slice(x);
                    algebra::multiply(&wide, k, out)
                })?)
            }),
            O::ExtendZero { from, to } => {
                let bytes = 16 * n * from / to;
                let mut low = [Lane::ZERO, Lane::ZERO, Lane::ZERO];
                if is_memory(instruction, 1) {
                    let (at, mut bits) = (self.address(instruction)?, vec![Bit::ZERO; 8 * bytes]);
                    self.memory.load(at, &mut bits)?;
                    bits.resize(256, Bit::ZERO);
                    for i in 0..2 {
                        low[i] = Lane::from_bits(bits[128 * i..][..128].try_into().expect("a lane"));
                    }
                } else {
                    let source = &self.registers.vectors[instruction.op_register(1).number()];
                    (low[0], low[1]) = (source[0].clone(), source[1].clone());
                }
                let nothing = 32;
                let out = pick(&low, 1, n, |i| if i % to < from { i / to * from + i % to } else { nothing });
                self.vector_write(instruction, out, n, to)
            }
            O::Aes { function, last } => {
                let (mut rounds, round) = (std::mem::take(&mut self.rounds), Round::Whole { function, last });
                let done = self.by_lane(instruction, 16, |state, key| Ok(rounds.execute(round, state, key)));
                self.rounds = rounds;
                done
            }
            O::InverseMixColumns => {
                let [state, ..] = self.vector_read(instruction, 1, 1)?;
                let state = Lane::from_bits(&aes::inv_mix_columns(&state.bits()));
                self.vector_write(instruction, [state, Lane::ZERO, Lane::ZERO, Lane::ZERO], 1, 16)
            }
            O::KeyGenAssist => self.key_gen_assist(instruction),
            _ => self.shuffle(instruction, model, n),
        }
    }

    /// Reads an operand's first `n` lanes.
    fn vector_read(&mut self, instruction: &Instruction, operand: u32, n: usize) -> Outcome<Vector> {
        let mut out = ZERO;
        if is(instruction, operand, |register| register.is_vector_register()) {
            let register = &self.registers.vectors[instruction.op_register(operand).number()];
            out[..n].clone_from_slice(&register[..n]);
        } else if is_memory(instruction, operand) {
            let at = self.address(instruction)?;
            if instruction.is_broadcast() {
                let bytes = repeated(instruction)?;
                let lane = Lane::repeated(&self.memory.load_word(at, bytes)?, bytes);
                out[..n].fill(lane);
            } else {
                aligned(instruction, at, n)?;
                // Of a masked operand all of it must be readable, which is more than the processor asks for; but moves.
                for (i, lane) in out[..n].iter_mut().enumerate() {
                    *lane = self.memory.load_lane(at.wrapping_add(16 * i as u64))?;
                }
            }
        } else {
            return Err(Fault::no_model("an operand that is no vector"));
        }
        Ok(out)
    }

    /// Reads a memory operand's elements, but for those that the mask leaves out: they need not be readable.
    fn masked_read(&mut self, instruction: &Instruction, n: usize, element: usize) -> Outcome<Vector> {
        let at = self.address(instruction)?;
        aligned(instruction, at, n)?;
        let mask = self.registers.masks[instruction.op_mask().number()].bits();
        let mut out = ZERO;
        for (i, lane) in out[..n].iter_mut().enumerate() {
            let mut bits = [Bit::ZERO; 128];
            for (j, part) in bits.chunks_mut(8 * element).enumerate() {
                let byte = 16 * i + element * j;
                if mask[byte / element].known() != Some(false) {
                    self.memory.load(at.wrapping_add(byte as u64), part)?;
                }
            }
            *lane = Lane::from_bits(&bits);
        }
        Ok(out)
    }

    /// Writes the first `n` lanes to the first operand. `element`: the size in bytes that its mask goes by.
    fn vector_write(
        &mut self,
        instruction: &Instruction,
        mut value: Vector,
        n: usize,
        element: usize,
    ) -> Outcome<()> {
        if is_memory(instruction, 0) {
            if instruction.has_op_mask() {
                return Err(Fault::no_model("a masked store"));
            }
            let at = self.address(instruction)?;
            aligned(instruction, at, n)?;
            for (i, lane) in value[..n].iter().enumerate() {
                self.memory.store_lane(at.wrapping_add(16 * i as u64), lane)?;
            }
            return Ok(());
        }
        if !is(instruction, 0, |register| register.is_vector_register()) {
            return Err(Fault::no_model("a destination that is no vector"));
        }
        let register = instruction.op_register(0).number();
        if instruction.has_op_mask() {
            let mask = self.registers.masks[instruction.op_mask().number()].bits();
            for (i, lane) in value[..n].iter_mut().enumerate() {
                let (mut bits, old) = (lane.bits(), self.registers.vectors[register][i].bits());
                for j in 0..128 {
                    let old = if instruction.zeroing_masking() { Bit::ZERO } else { old[j] };
                    bits[j] = old ^ mask[(16 * i + j / 8) / element].and(old ^ bits[j])?;
                }
                *lane = Lane::from_bits(&bits);
            }
        }
        if is_legacy(instruction) {
            let [lane, ..] = value;
            self.registers.vectors[register][0] = lane;
        } else {
            value[n..].fill(Lane::ZERO);
            self.registers.vectors[register] = value;
        }
        Ok(())
    }

    /// A function of each two lanes.
    fn by_lane(
        &mut self,
        instruction: &Instruction,
        element: usize,
        mut f: impl FnMut(&Lane, &Lane) -> Outcome<Lane>,
    ) -> Outcome<()> {
        let (n, (first, second)) = (lanes(instruction), sources(instruction));
        let (a, b) = (self.vector_read(instruction, first, n)?, self.vector_read(instruction, second, n)?);
        let mut out = ZERO;
        for i in 0..n {
            out[i] = f(&a[i], &b[i])?;
        }
        self.vector_write(instruction, out, n, element)
    }

    fn vector_move(&mut self, instruction: &Instruction, model: Operation, n: usize) -> Outcome<()> {
        use Operation as O;
        match model {
            O::Move(element) => {
                let value = if instruction.has_op_mask() && is_memory(instruction, 1) {
                    self.masked_read(instruction, n, element)?
                } else {
                    self.vector_read(instruction, 1, n)?
                };
                self.vector_write(instruction, value, n, element)
            }
            O::MoveStreaming => {
                let value = self.vector_read(instruction, 1, n)?;
                if is_memory(instruction, 0) {
                    self.counts.streamed += 1;
                    self.unfenced = true;
                }
                self.vector_write(instruction, value, n, 4)
            }
            O::MoveLow(bytes) => {
                let value = self.element(instruction, 1, bytes)?;
                if is(instruction, 0, |register| register.is_vector_register()) {
                    let lane = Lane::from_halves(&value, &Word::Known(0));
                    self.vector_write(instruction, [lane, Lane::ZERO, Lane::ZERO, Lane::ZERO], 1, bytes)
                } else {
                    self.write(instruction, 0, &value)
                }
            }
            O::MoveHalf { high } if is_memory(instruction, 0) => {
                let lane = self.registers.vectors[instruction.op_register(1).number()][0].clone();
                self.write(instruction, 0, &lane.half(usize::from(high)))
            }
            O::MoveHalf { high } => {
                // The other half is the first source's.
                let last = instruction.op_count() - 1;
                if !is_memory(instruction, last) {
                    return Err(Fault::no_model("a half from a register"));
                }
                let value = self.read(instruction, last)?;
                let old = self.vector_read(instruction, last - 1, 1)?[0].clone();
                let lane = if high {
                    Lane::from_halves(&old.half(0), &value)
                } else {
                    Lane::from_halves(&value, &old.half(1))
                };
                self.vector_write(instruction, [lane, Lane::ZERO, Lane::ZERO, Lane::ZERO], 1, 8)
            }
            O::RepeatLane => {
                let at = self.address(instruction)?;
                let lane = self.memory.load_lane(at)?;
                self.vector_write(instruction, std::array::from_fn(|_| lane.clone()), n, 4)
            }
            O::Repeat(bytes) => {
                let lane = Lane::repeated(&self.element(instruction, 1, bytes)?, bytes);
                self.vector_write(instruction, std::array::from_fn(|_| lane.clone()), n, bytes)
            }
            O::InsertLanes { lanes, element } => {
                let (mut value, new) =
                    (self.vector_read(instruction, 1, n)?, self.vector_read(instruction, 2, lanes)?);
                let at = immediate(instruction) % (n / lanes) * lanes;
                value[at..at + lanes].clone_from_slice(&new[..lanes]);
                self.vector_write(instruction, value, n, element)
            }
            O::ExtractLanes { lanes, element } => {
                let register = instruction.op_register(1);
                let at = immediate(instruction) % (register.size() / 16 / lanes) * lanes;
                let mut value = ZERO;
                value[..lanes].clone_from_slice(&self.registers.vectors[register.number()][at..at + lanes]);
                self.vector_write(instruction, value, lanes, element)
            }
            O::Extract(bytes) => {
                let lane = self.registers.vectors[instruction.op_register(1).number()][0].clone();
                let at = bytes * (immediate(instruction) % (16 / bytes));
                let value = lane.bytes(|i| (i < bytes).then(|| at + i)).half(0);
                self.write(instruction, 0, &value)
            }
            O::Insert(bytes) => {
                let (first, second) = sources(instruction);
                let old = self.vector_read(instruction, first, 1)?[0].bits();
                let new = self.read(instruction, second)?.bits();
                let at = 8 * bytes * (immediate(instruction) % (16 / bytes));
                let mut bits = old;
                bits[at..at + 8 * bytes].copy_from_slice(&new[..8 * bytes]);
                let lane = Lane::from_bits(&bits);
                self.vector_write(instruction, [lane, Lane::ZERO, Lane::ZERO, Lane::ZERO], 1, bytes)
            }
            O::Signs(element) => {
                let value = self.vector_read(instruction, 1, n)?;
                let bits: Vec<Bit> = value[..n].iter().flat_map(Lane::bits).collect();
                let signs: Vec<Bit> = bits.chunks(8 * element).map(|e| e[8 * element - 1]).collect();
                self.write(instruction, 0, &Word::from_bits(&signs))
            }
            O::ZeroUpper => {
                for register in &mut self.registers.vectors[..16] {
                    register[1..].fill(Lane::ZERO);
                }
                Ok(())
            }
            _ => {
                self.registers.vectors[..16].fill(ZERO);
                Ok(())
            }
        }
    }

    /// The lowest bytes of a vector register, of a general one, or of memory.
    fn element(&mut self, instruction: &Instruction, operand: u32, bytes: usize) -> Outcome<Word> {
        if is(instruction, operand, |register| register.is_vector_register()) {
            let lane = &self.registers.vectors[instruction.op_register(operand).number()][0];
            return Ok(lane.half(0).low(bytes));
        }
        if is_memory(instruction, operand) && size(instruction, operand) != bytes {
            return Err(Fault::no_model("a memory operand of another size"));
        }
        Ok(self.read(instruction, operand)?.low(bytes))
    }

    fn vector_shift(
        &mut self,
        instruction: &Instruction,
        n: usize,
        element: usize,
        way: Shift,
    ) -> Outcome<()> {
        let last = instruction.op_count() - 1;
        let value = self.vector_read(instruction, last - 1, n)?;
        let count = if instruction.op_kind(last) == OpKind::Immediate8 {
            instruction.immediate(last)
        } else {
            let [count, ..] = self.vector_read(instruction, last, 1)?;
            count.half(0).known().ok_or_else(|| Fault::secret("a shift count"))?
        };
        let mut out = ZERO;
        for i in 0..n {
            out[i] = shift(&value[i], element, way, |_| count);
        }
        self.vector_write(instruction, out, n, element)
    }

    fn vector_sum(&mut self, instruction: &Instruction, element: usize, subtract: bool) -> Outcome<()> {
        let mut unknown = std::mem::take(&mut self.unknowns);
        let mut count = 0;
        let done = self.by_lane(instruction, element, |a, b| {
            Ok(a.elements(b, 8 * element, |a, b, out| {
                // Compilers add to several addresses at once.
                if let Some(sum) = sum_of_pointers(a, b, subtract) {
                    out.copy_from_slice(&sum.bits());
                    return Ok(());
                }
                let b: Vec<Bit> = b.iter().map(|bit| *bit ^ Bit::from(subtract)).collect();
                if add(a, &b, Bit::from(subtract), out).is_err() {
                    // It may be anything, for all that is known. Where it matters, what follows fails.
                    unknown.fill(out);
                    count += 1;
                }
                Ok(())
            })?)
        });
        self.unknowns = unknown;
        self.counts.unknown_sums += count;
        done
    }

    fn test(&mut self, instruction: &Instruction, n: usize) -> Outcome<()> {
        let (a, b) = (self.vector_read(instruction, 0, n)?, self.vector_read(instruction, 1, n)?);
        let none = |not: bool| {
            let mut all = 0;
            for i in 0..n {
                let a = if not { a[i].not() } else { a[i].clone() };
                all |= a.and(&b[i]).ok()?.known()?;
            }
            Some(all == 0)
        };
        self.registers.flags = Flags {
            zero: none(false),
            carry: none(true).map(Bit::from),
            sign: Some(false),
            overflow: Some(false),
            parity: Some(false),
        };
        Ok(())
    }

    fn test_each(&mut self, instruction: &Instruction, n: usize, element: usize, none: bool) -> Outcome<()> {
        let (a, b) = (self.vector_read(instruction, 1, n)?, self.vector_read(instruction, 2, n)?);
        let mut mask = Vec::new();
        for i in 0..n {
            for element in a[i].and(&b[i])?.bits().chunks(8 * element) {
                let any = element.iter().try_fold(Bit::ZERO, |any, bit| any.or(*bit))?;
                mask.push(any ^ Bit::from(none));
            }
        }
        if instruction.has_op_mask() {
            let only = self.registers.masks[instruction.op_mask().number()].bits();
            for (bit, only) in mask.iter_mut().zip(only) {
                *bit = bit.and(only)?;
            }
        }
        self.registers.masks[instruction.op_register(0).number()] = Word::from_bits(&mask);
        Ok(())
    }

    fn shuffle(&mut self, instruction: &Instruction, model: Operation, n: usize) -> Outcome<()> {
        use Operation as O;
        // Of both sources' lanes, in one: those of the first one from 0 on, those of the second one behind them.
        let both = |a: &Lane, b: &Lane, size: usize, place: &dyn Fn(usize) -> usize| {
            Ok(pick(&[a.clone(), b.clone()], size, 1, place)[0].clone())
        };
        match model {
            O::Shuffle4 => {
                let (value, control) = (self.vector_read(instruction, 1, n)?, immediate(instruction));
                let out = pick(&value[..n], 4, n, |i| i / 4 * 4 + (control >> (2 * (i % 4)) & 3));
                self.vector_write(instruction, out, n, 4)
            }
            O::ShuffleWords { high } => {
                let (value, control) = (self.vector_read(instruction, 1, n)?, immediate(instruction));
                let out = pick(&value[..n], 2, n, |i| {
                    if (i % 8 >= 4) == high { i / 4 * 4 + (control >> (2 * (i % 4)) & 3) } else { i }
                });
                self.vector_write(instruction, out, n, 2)
            }
            O::ShuffleTwo => {
                let control = immediate(instruction);
                self.by_lane(instruction, 4, |a, b| {
                    both(a, b, 4, &|i| (control >> (2 * i) & 3) + if i < 2 { 0 } else { 4 })
                })
            }
            O::ShuffleBytes => self.by_lane(instruction, 1, |a, control| {
                let control = known(control, "a shuffle's control")?.to_le_bytes();
                Ok(a.bytes(|i| (control[i] & 0x80 == 0).then_some(usize::from(control[i] & 15))))
            }),
            O::Unpack { element, high } => {
                let per_lane = 16 / element;
                let from = if high { per_lane / 2 } else { 0 };
                self.by_lane(instruction, element, |a, b| {
                    both(a, b, element, &|i| from + i / 2 + per_lane * (i % 2))
                })
            }
            O::Blend(element) => {
                let (n, (first, second)) = (lanes(instruction), sources(instruction));
                let (a, b) =
                    (self.vector_read(instruction, first, n)?, self.vector_read(instruction, second, n)?);
                let (control, count) = (immediate(instruction), 16 / element);
                let all: Vec<Lane> = a[..n].iter().chain(&b[..n]).cloned().collect();
                // `vpblendw` has one control for all lanes.
                let place = |i: usize| if element == 2 { i % 8 } else { i };
                let out =
                    pick(&all, element, n, |i| i + if control >> place(i) & 1 != 0 { n * count } else { 0 });
                self.vector_write(instruction, out, n, element)
            }
            O::PermuteLanes => {
                let (a, b) = (self.vector_read(instruction, 1, 2)?, self.vector_read(instruction, 2, 2)?);
                let (all, control) =
                    ([a[0].clone(), a[1].clone(), b[0].clone(), b[1].clone()], immediate(instruction));
                let lane = |control: usize| {
                    if control & 8 != 0 { Lane::ZERO } else { all[control & 3].clone() }
                };
                let out = [lane(control), lane(control >> 4), Lane::ZERO, Lane::ZERO];
                self.vector_write(instruction, out, 2, 16)
            }
            O::ShuffleLanes(element) => {
                let (a, b) = (self.vector_read(instruction, 1, n)?, self.vector_read(instruction, 2, n)?);
                let (control, each) = (immediate(instruction), n.trailing_zeros() as usize);
                let out = std::array::from_fn(|i| {
                    let from = control >> (each * i) & (n - 1);
                    if i >= n { Lane::ZERO } else { [&a, &b][usize::from(i >= n / 2)][from].clone() }
                });
                self.vector_write(instruction, out, n, element)
            }
            O::Permute if instruction.op_kind(2) == OpKind::Immediate8 => {
                let (value, control) = (self.vector_read(instruction, 1, n)?, immediate(instruction));
                let out = pick(&value[..n], 8, n, |i| i / 4 * 4 + (control >> (2 * (i % 4)) & 3));
                self.vector_write(instruction, out, n, 8)
            }
            O::Permute => {
                let (index, value) =
                    (self.vector_read(instruction, 1, n)?, self.vector_read(instruction, 2, n)?);
                let index = indices(&index[..n])?;
                let out = pick(&value[..n], 8, n, |i| index[i] % (2 * n));
                self.vector_write(instruction, out, n, 8)
            }
            O::PermuteTwo { index_first } => {
                let [first, second, third] = [0, 1, 2].map(|i| self.vector_read(instruction, i, n));
                let (first, second, third) = (first?, second?, third?);
                let (index, table) = if index_first { (first, second) } else { (second, first) };
                let index = indices(&index[..n])?;
                let all: Vec<Lane> = table[..n].iter().chain(&third[..n]).cloned().collect();
                let out = pick(&all, 8, n, |i| index[i] % (4 * n));
                self.vector_write(instruction, out, n, 8)
            }
            O::AlignVectors => {
                let (a, b) = (self.vector_read(instruction, 1, n)?, self.vector_read(instruction, 2, n)?);
                let (all, count): (Vec<Lane>, usize) =
                    (b[..n].iter().chain(&a[..n]).cloned().collect(), immediate(instruction) % (2 * n));
                let out = pick(&all, 8, n, |i| i + count);
                self.vector_write(instruction, out, n, 8)
            }
            O::MultiShift => self.by_lane(instruction, 1, |control, value| {
                let (control, bits) = (known(control, "a shift count")?.to_le_bytes(), value.bits());
                Ok(Lane::from_bits(&std::array::from_fn(|i| {
                    let half = i / 64 * 64;
                    bits[half + (usize::from(control[i / 8] & 63) + i % 8) % 64]
                })))
            }),
            _ => Err(Fault::no_model(format!("{model:?}"))),
        }
    }

    /// AESKEYGENASSIST: SubWord of two words, and RotWord of that with a round constant.
    fn key_gen_assist(&mut self, instruction: &Instruction) -> Outcome<()> {
        let [input, ..] = self.vector_read(instruction, 1, 1)?;
        let (input, constant, mut out) = (input.bits(), immediate(instruction), [Bit::ZERO; 128]);
        for (to, from) in [(0, 1), (2, 3)] {
            for i in 0..4 {
                let byte = input[32 * from + 8 * i..][..8].try_into().expect("a byte");
                let byte = aes::substitute(Function::Sub, &byte);
                out[32 * to + 8 * i..][..8].copy_from_slice(&byte);
                out[32 * (to + 1) + 8 * ((i + 3) % 4)..][..8].copy_from_slice(&byte);
            }
            for i in 0..8 {
                let bit = &mut out[32 * (to + 1) + i];
                *bit = *bit ^ Bit::from(constant >> i & 1 != 0);
            }
        }
        let lane = Lane::from_bits(&out);
        self.vector_write(instruction, [lane, Lane::ZERO, Lane::ZERO, Lane::ZERO], 1, 16)
    }
}

/// A sum of which a part is an address, and that is again one, or a number.
fn sum_of_pointers(a: &[Bit], b: &[Bit], subtract: bool) -> Option<Word> {
    if a.len() != 64 {
        return None;
    }
    let (a, b) = (Word::from_bits(a), Word::from_bits(b));
    if !matches!(a, Word::Pointer(_)) && !matches!(b, Word::Pointer(_)) {
        return None;
    }
    pointers::sum(a.value()?, b.value()?, subtract, |_| None).0.map(Word::from)
}

/// Indices of eight bytes each.
fn indices(lanes: &[Lane]) -> Outcome<Vec<usize>> {
    lanes
        .iter()
        .flat_map(|lane| [lane.half(0), lane.half(1)])
        .map(|half| Ok(half.known().ok_or_else(|| Fault::secret("a permutation"))? as usize))
        .collect()
}

/// Whether an address suits an instruction that asks for alignment.
fn aligned(instruction: &Instruction, at: u64, lanes: usize) -> Outcome<()> {
    use M::*;
    let needs = match instruction.mnemonic() {
        Movdqu | Movups | Movupd | Lddqu | Pinsrb | Pinsrw => false,
        Movdqa | Movaps | Movapd | Movntdq | Movntps | Movntdqa | Vmovdqa | Vmovaps | Vmovapd | Vmovdqa32
        | Vmovdqa64 | Vmovntdq | Vmovntps | Vmovntdqa => true,
        _ => is_legacy(instruction),
    };
    let to = 16 * lanes as u64;
    if needs && !at.is_multiple_of(to) {
        return Err(Fault::new(Kind::Convention, format!("{at:#x} is not aligned to {to} bytes")));
    }
    Ok(())
}
