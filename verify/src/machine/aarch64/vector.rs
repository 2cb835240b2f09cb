//! Instructions on vector registers, and those that load and store them.

use super::{
    Aarch64,
    decode::{Aes, Compare, Constant, ElementShift, Four, Instruction, Permute, Three, Two},
};
use crate::{
    algebra::{Bit, Function, NotLinear, add},
    fault::{Fault, Outcome},
    rounds::Round,
    words::{Lane, Word, mask},
};

/// The lowest `bytes` bytes; zeros above them.
fn low(lane: Lane, bytes: usize) -> Lane {
    if bytes == 16 { lane } else { lane.bytes(|i| (i < bytes).then_some(i)) }
}

/// Shifts an element: to the left for positive counts, otherwise to the right.
fn shifted(from: &[Bit], out: &mut [Bit], left: i64, signed: bool) {
    let width = from.len() as i64;
    for i in 0..width {
        out[i as usize] = match i - left {
            at if at < 0 => Bit::ZERO,
            at if at < width => from[at as usize],
            _ if signed => from[width as usize - 1],
            _ => Bit::ZERO,
        };
    }
}

/// Whether a > b, where that is one bit: both known, or signed with one of them 0 or -1.
fn greater(a: &[Bit], b: &[Bit], signed: bool) -> Result<Bit, NotLinear> {
    let (sign, bytes) = (a.len() - 1, a.len() / 8);
    match (Word::from_bits(a), Word::from_bits(b)) {
        (Word::Known(x), Word::Known(y)) if signed => {
            let value = |x| Word::Known(x).sign_extended(bytes).known().unwrap_or(0) as i64;
            Ok(Bit::from(value(x) > value(y)))
        }
        (Word::Known(x), Word::Known(y)) => Ok(Bit::from(x > y)),
        (Word::Known(0), _) if signed => Ok(b[sign]),
        (_, Word::Known(y)) if signed && y == mask(bytes) => Ok(!a[sign]),
        _ => Err(NotLinear),
    }
}

/// Whether both are equal, where that is known.
fn equal(a: &[Bit], b: &[Bit]) -> Result<Bit, NotLinear> {
    let different = a.iter().zip(b).map(|(a, b)| *a ^ *b);
    if different.clone().any(|bit| bit == Bit::ONE) {
        return Ok(Bit::ZERO);
    }
    if different.clone().all(|bit| bit == Bit::ZERO) {
        return Ok(Bit::ONE);
    }
    Err(NotLinear)
}

fn fill(out: &mut [Bit], bit: Result<Bit, NotLinear>) -> Result<(), NotLinear> {
    out.fill(bit?);
    Ok(())
}

impl Aarch64 {
    /// Executes an instruction, if it is one of these.
    pub(super) fn vector(&mut self, instruction: &Instruction) -> Outcome<bool> {
        use Instruction as I;
        match *instruction {
            I::Transfer { load, vector: true, bytes, first, second, at, .. } => {
                let registers: Vec<usize> = [Some(first), second].into_iter().flatten().collect();
                self.access(&at, |machine, address| machine.transfer(load, bytes, &registers, address))?;
            }
            I::Structures { load, bytes, first, count, at } => {
                let registers: Vec<usize> = (0..count).map(|i| (first + i) % 32).collect();
                self.access(&at, |machine, address| machine.transfer(load, bytes, &registers, address))?;
            }
            I::Element { load, element, register, index, at } => {
                self.access(&at, |machine, address| {
                    if load {
                        let value = machine.memory.load_word(address, element)?;
                        machine.insert(register, index, element, &value);
                        Ok(())
                    } else {
                        let value = machine.element(register, index, element);
                        machine.memory.store_word(address, &value, element)
                    }
                })?;
            }
            I::LoadRepeated { bytes, element, to, at } => {
                let value =
                    self.access(&at, |machine, address| machine.memory.load_word(address, element))?;
                self.registers.vectors[to] = low(Lane::repeated(&value, element), bytes);
            }
            I::Three { which, bytes, element, to, a, b } => {
                let value = self.three(which, bytes, element, to, a, b)?;
                self.registers.vectors[to] = low(value, bytes);
            }
            I::Two { which, bytes, element, to, from } => {
                let value = self.two(which, element, to, from)?;
                self.registers.vectors[to] = low(value, bytes);
            }
            I::ElementShift { which, bytes, element, count, to, from } => {
                let (value, old) = (self.registers.vectors[from].clone(), &self.registers.vectors[to]);
                let (width, count) = (8 * element, count as i64);
                let value = value.elements(old, width, |value, old, out| {
                    match which {
                        ElementShift::Left => shifted(value, out, count, false),
                        ElementShift::Right { signed } => shifted(value, out, -count, signed),
                        ElementShift::RightAdd { signed } => {
                            let mut right = vec![Bit::ZERO; width];
                            shifted(value, &mut right, -count, signed);
                            let _ = add(old, &right, Bit::ZERO, out)?;
                        }
                        ElementShift::LeftInsert => {
                            shifted(value, out, count, false);
                            out[..count as usize].copy_from_slice(&old[..count as usize]);
                        }
                        ElementShift::RightInsert => {
                            shifted(value, out, -count, false);
                            let kept = width - count as usize;
                            out[kept..].copy_from_slice(&old[kept..]);
                        }
                    }
                    Ok(())
                })?;
                self.registers.vectors[to] = low(value, bytes);
            }
            I::Lengthen { signed, upper, element, count, to, from } => {
                let (bits, width, mut out) =
                    (self.registers.vectors[from].bits(), 8 * element, [Bit::ZERO; 128]);
                for (i, out) in out.chunks_mut(2 * width).enumerate() {
                    let at = width * i + if upper { 64 } else { 0 };
                    let mut wide = vec![if signed { bits[at + width - 1] } else { Bit::ZERO }; 2 * width];
                    wide[..width].copy_from_slice(&bits[at..at + width]);
                    shifted(&wide, out, count as i64, false);
                }
                self.registers.vectors[to] = Lane::from_bits(&out);
            }
            I::Constant { which, bytes, to, value } => {
                let old = &self.registers.vectors[to];
                let value = match which {
                    Constant::Move => Lane::Known(value),
                    Constant::Or => old.zip(&Lane::Known(value), Bit::or)?,
                    Constant::AndNot => old.and(&Lane::Known(!value))?,
                };
                self.registers.vectors[to] = low(value, bytes);
            }
            I::Repeat { bytes, element, to, from, index } => {
                let value = self.element(from, index, element);
                self.registers.vectors[to] = low(Lane::repeated(&value, element), bytes);
            }
            I::RepeatGeneral { bytes, element, to, from } => {
                let value = self.read(from, element);
                self.registers.vectors[to] = low(Lane::repeated(&value, element), bytes);
            }
            I::Insert { element, to, index, from, from_index } => {
                let value = self.element(from, from_index, element);
                self.insert(to, index, element, &value);
            }
            I::InsertGeneral { element, to, index, from } => {
                let value = self.read(from, element);
                self.insert(to, index, element, &value);
            }
            I::Extract1 { element, signed, to, from, index } => {
                let value = self.element(from, index, element);
                let value = signed.map_or(value.clone(), |bytes| value.sign_extended(element).low(bytes));
                self.write(to, value);
            }
            I::Table { bytes, to, first, count, index, keep } => {
                let index =
                    self.registers.vectors[index].known().ok_or_else(|| Fault::secret("a table's index"))?;
                let (index, old) = (index.to_le_bytes(), self.registers.vectors[to].bits());
                let table: Vec<Bit> =
                    (0..count).flat_map(|i| self.registers.vectors[(first + i) % 32].bits()).collect();
                let mut out = [Bit::ZERO; 128];
                for i in 0..16 {
                    let at = 8 * usize::from(index[i]);
                    let byte = table.get(at..at + 8).or_else(|| keep.then(|| &old[8 * i..8 * i + 8]));
                    if let Some(byte) = byte {
                        out[8 * i..8 * i + 8].copy_from_slice(byte);
                    }
                }
                self.registers.vectors[to] = low(Lane::from_bits(&out), bytes);
            }
            I::Align { bytes, to, low: first, high, count } => {
                let [first, high] = [first, high].map(|i| self.registers.vectors[i].bits());
                let mut both = first[..8 * bytes].to_vec();
                both.extend_from_slice(&high[..8 * bytes]);
                let mut out = [Bit::ZERO; 128];
                out[..8 * bytes].copy_from_slice(&both[8 * count..8 * (count + bytes)]);
                self.registers.vectors[to] = Lane::from_bits(&out);
            }
            I::Aes { which, to, from } => {
                use Function::{InverseSub, Sub};
                let (round, first) = match which {
                    Aes::Encrypt => (Round::Substitution(Sub), to),
                    Aes::Decrypt => (Round::Substitution(InverseSub), to),
                    Aes::Mix => (Round::Mixing(Sub), from),
                    Aes::InverseMix => (Round::Mixing(InverseSub), from),
                };
                let [state, key] = [first, from].map(|i| &self.registers.vectors[i]);
                let result = self.rounds.execute(round, state, key);
                self.registers.vectors[to] = result;
            }
            I::Four { which, to, a, b, c } => {
                let [a, b, c] = [a, b, c].map(|i| &self.registers.vectors[i]);
                let value = match which {
                    Four::Xor => a.xor(b).xor(c),
                    Four::AndNotXor => a.xor(&b.and(&c.not())?),
                };
                self.registers.vectors[to] = value;
            }
            I::RotateXor { to, a, b, count } => {
                let bits = self.registers.vectors[a].xor(&self.registers.vectors[b]).bits();
                let out = std::array::from_fn(|i| bits[i / 64 * 64 + (i + count) % 64]);
                self.registers.vectors[to] = Lane::from_bits(&out);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn transfer(&mut self, load: bool, bytes: usize, registers: &[usize], address: u64) -> Outcome<()> {
        for (i, &register) in registers.iter().enumerate() {
            let address = address.wrapping_add((i * bytes) as u64);
            if load && bytes == 16 {
                self.registers.vectors[register] = self.memory.load_lane(address)?;
            } else if load {
                let mut bits = [Bit::ZERO; 128];
                self.memory.load(address, &mut bits[..8 * bytes])?;
                self.registers.vectors[register] = Lane::from_bits(&bits);
            } else if bytes == 16 {
                self.memory.store_lane(address, &self.registers.vectors[register])?;
            } else {
                self.memory.store(address, &self.registers.vectors[register].bits()[..8 * bytes])?;
            }
        }
        Ok(())
    }

    /// An element of `bytes` bytes.
    fn element(&self, register: usize, index: usize, bytes: usize) -> Word {
        let lane = &self.registers.vectors[register];
        match (lane, bytes) {
            (_, 8) => lane.half(index),
            (Lane::Known(value), _) => Word::Known((value >> (8 * bytes * index)) as u64).low(bytes),
            _ => Word::from_bits(&lane.bits()[8 * bytes * index..8 * bytes * (index + 1)]),
        }
    }

    fn insert(&mut self, register: usize, index: usize, bytes: usize, value: &Word) {
        let mut bits = self.registers.vectors[register].bits();
        bits[8 * bytes * index..8 * bytes * (index + 1)].copy_from_slice(&value.bits()[..8 * bytes]);
        self.registers.vectors[register] = Lane::from_bits(&bits);
    }

    fn three(
        &mut self,
        which: Three,
        bytes: usize,
        element: usize,
        to: usize,
        a: usize,
        b: usize,
    ) -> Outcome<Lane> {
        let [old, a, b] = [to, a, b].map(|i| self.registers.vectors[i].clone());
        let width = 8 * element;
        let select = |mask: &Lane, ones: &Lane, zeros: &Lane| {
            Ok::<Lane, NotLinear>(zeros.xor(&ones.xor(zeros).and(mask)?))
        };
        Ok(match which {
            Three::Select => select(&old, &a, &b)?,
            Three::InsertIf => select(&b, &a, &old)?,
            Three::InsertUnless => select(&b, &old, &a)?,
            Three::And => a.and(&b)?,
            Three::AndNot => a.and(&b.not())?,
            // A register with itself is how vectors are moved.
            Three::Or => a.zip(&b, Bit::or)?,
            Three::OrNot => a.zip(&b.not(), Bit::or)?,
            Three::Xor => a.xor(&b),
            Three::Add | Three::Sub => {
                let subtract = Bit::from(which == Three::Sub);
                let (unknowns, mut count) = (&mut self.unknowns, 0);
                let sum = a.elements(&b, width, |a, b, out| {
                    let b: Vec<Bit> = b.iter().map(|bit| *bit ^ subtract).collect();
                    if add(a, &b, subtract, out).is_err() {
                        // It may be anything, for all that is known. Where it matters, what follows fails.
                        unknowns.fill(out);
                        count += 1;
                    }
                    Ok(())
                })?;
                self.counts.unknown_sums += count;
                sum
            }
            Three::ShiftBy { signed } => {
                let counts = b.known().ok_or_else(|| Fault::secret("a shift count"))?;
                let mut at = 0;
                a.elements(&b, width, |a, _, out| {
                    let count = i64::from((counts >> at) as i8);
                    at += width;
                    shifted(a, out, count, signed);
                    Ok(())
                })?
            }
            Three::Equal => a.elements(&b, width, |a, b, out| fill(out, equal(a, b)))?,
            Three::Test => {
                let common = a.and(&b)?;
                common.elements(&Lane::ZERO, width, |common, zero, out| {
                    fill(out, equal(common, zero).map(|bit| !bit))
                })?
            }
            Three::Greater { signed, or_equal } => a.elements(&b, width, |a, b, out| {
                fill(
                    out,
                    if or_equal { greater(b, a, signed).map(|bit| !bit) } else { greater(a, b, signed) },
                )
            })?,
            Three::Permute(which, odd) => {
                let (count, odd) = (bytes / element, usize::from(odd));
                let (a, b, mut out) = (a.bits(), b.bits(), [Bit::ZERO; 128]);
                for i in 0..count {
                    let at = match which {
                        Permute::Unzip => 2 * i + odd,
                        Permute::Transpose => i / 2 * 2 + odd + i % 2 * count,
                        Permute::Zip => i / 2 + odd * count / 2 + i % 2 * count,
                    };
                    let (from, at) = if at < count { (&a, at) } else { (&b, at - count) };
                    out[width * i..width * (i + 1)].copy_from_slice(&from[width * at..width * (at + 1)]);
                }
                Lane::from_bits(&out)
            }
        })
    }

    fn two(&mut self, which: Two, element: usize, to: usize, from: usize) -> Outcome<Lane> {
        let (value, width) = (self.registers.vectors[from].clone(), 8 * element);
        Ok(match which {
            Two::Not => value.not(),
            Two::Reverse(group) => value.bytes(|i| {
                // Elements change places; the bytes of each stay in order.
                let (group_at, place, byte) = (i / group * group, i % group / element, i % element);
                Some(group_at + (group / element - 1 - place) * element + byte)
            }),
            Two::ReverseBits => {
                let bits = value.bits();
                Lane::from_bits(&std::array::from_fn(|i| bits[i / 8 * 8 + 7 - i % 8]))
            }
            Two::Negate => value.elements(&Lane::ZERO, width, |value, zero, out| {
                let not: Vec<Bit> = value.iter().map(|bit| !*bit).collect();
                add(zero, &not, Bit::ONE, out).map(|_| ())
            })?,
            Two::Zero(compare) => value.elements(&Lane::ZERO, width, |value, zero, out| {
                fill(
                    out,
                    match compare {
                        Compare::Equal => equal(value, zero),
                        Compare::Less => Ok(value[width - 1]),
                        Compare::NotLess => Ok(!value[width - 1]),
                    },
                )
            })?,
            Two::Narrow { upper } => {
                let (bits, old, half) = (value.bits(), self.registers.vectors[to].bits(), width / 2);
                let mut out = [Bit::ZERO; 128];
                let start = if upper { 64 } else { 0 };
                out[..start].copy_from_slice(&old[..start]);
                for i in 0..128 / width {
                    out[start + half * i..start + half * (i + 1)]
                        .copy_from_slice(&bits[width * i..width * i + half]);
                }
                Lane::from_bits(&out)
            }
        })
    }
}
