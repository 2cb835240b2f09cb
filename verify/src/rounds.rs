//! The processors' AES instructions, executed when somebody asks for their result, and once: calls of all lengths and counts
//! go over the same blocks, under the same keys and tweaks.
//!
//! Two executions are the same if their inputs are: the same results of executions, or the same bits, all of which are
//! compared. Hashes only lead to what to compare with.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    rc::{Rc, Weak},
};

use crate::{
    aes::{self, Block},
    algebra::Function,
    remembered::{Firsts, Quickly},
    words::Lane,
};

/// What an instruction makes of two lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Round {
    /// AESENC and AESDEC of x86-64, or AESENCLAST and AESDECLAST: of a state and a round key.
    Whole { function: Function, last: bool },
    /// AESE and AESD of AArch64: of a state and a round key.
    Substitution(Function),
    /// AESMC and AESIMC: of a state. The second lane does not count.
    Mixing(Function),
}

impl Round {
    fn of(self, state: &Block, key: &Block) -> Block {
        let substituted = |function, state: &Block| match function {
            Function::Sub => aes::shift_rows(&aes::sub_bytes(function, state)),
            Function::InverseSub => aes::sub_bytes(function, &aes::inv_shift_rows(state)),
        };
        let mixed = |function, state: &Block| match function {
            Function::Sub => aes::mix_columns(state),
            Function::InverseSub => aes::inv_mix_columns(state),
        };
        match self {
            Round::Whole { function, last: true } => aes::xor(&substituted(function, state), key),
            Round::Whole { function, .. } => aes::xor(&mixed(function, &substituted(function, state)), key),
            Round::Substitution(function) => substituted(function, &aes::xor(state, key)),
            Round::Mixing(function) => mixed(function, state),
        }
    }
}

/// An instruction's result.
#[derive(Debug)]
pub struct Result {
    round: Round,
    state: Lane,
    key: Lane,
    bits: OnceCell<Rc<Block>>,
    /// What was last executed on it, which is likely to be executed again.
    next: RefCell<Weak<Result>>,
}

impl Result {
    /// Its bits. Of a chain of rounds only the last one's are kept.
    pub fn bits(&self) -> &Rc<Block> {
        self.bits.get_or_init(|| {
            let (mut rounds, mut first) = (vec![self], &self.state);
            while let Lane::Round(before) = first
                && before.bits.get().is_none()
            {
                rounds.push(before);
                first = &before.state;
            }
            let mut state = first.bits();
            for Result { round, key, .. } in rounds.into_iter().rev() {
                state = match key.unknown() {
                    Some(key) => round.of(&state, key),
                    None => round.of(&state, &key.bits()),
                };
            }
            Rc::new(state)
        })
    }
}

/// How many results are kept at least, of 130 bytes each, and some of them with two kilobytes of bits. More memory is slower than
/// executing again what is seldom wanted again.
const LEAST: usize = 10_000;
/// For each result so many first states fewer, of two kilobytes.
const RESULTS_OF_FIRST: usize = 8;

/// An instruction and where its inputs lie. A result keeps these, so that nothing else ever lies there.
type Inputs = (Round, *const (), *const ());

/// What was executed.
#[derive(Default)]
pub struct Rounds {
    firsts: Firsts,
    results: HashMap<Inputs, Rc<Result>, Quickly>,
    most: usize,
}

impl Rounds {
    /// Keeps the results of several calls on so many bytes.
    pub fn expect(&mut self, bytes: usize) {
        // An instruction or two a round, ten to fourteen rounds a block of 16 bytes. What is longer is seldom called twice.
        self.most = if bytes < 1 << 20 { LEAST.max(4 * bytes) } else { LEAST };
    }

    /// Executes an instruction.
    pub fn execute(&mut self, round: Round, state: &Lane, key: &Lane) -> Lane {
        let place = |lane: &Lane| match lane {
            Lane::Known(_) => None,
            Lane::Bits(bits) => Some(Rc::as_ptr(bits).cast()),
            Lane::Round(result) => Some(Rc::as_ptr(result).cast()),
        };
        let (Some(state_at), Some(key_at)) = (place(state), place(key)) else {
            return Lane::from_bits(&round.of(&state.bits(), &key.bits()));
        };
        // Mostly the state is a result itself, and the key has come by before.
        if let Lane::Round(before) = state
            && let Some(next) = before.next.borrow().upgrade()
            && next.round == round
            && place(&next.key) == Some(key_at)
        {
            return Lane::Round(next);
        }
        if let Some(result) = self.results.get(&(round, state_at, key_at)) {
            return Lane::Round(result.clone());
        }
        if self.results.len() > self.most || self.firsts.len() > self.most / RESULTS_OF_FIRST {
            *self = Rounds { most: self.most, ..Rounds::default() };
        }
        let [state, key] = [state, key].map(|lane| match lane {
            Lane::Bits(bits) => Lane::Bits(self.firsts.like(bits)),
            other => other.clone(),
        });
        let (Some(state_at), Some(key_at)) = (place(&state), place(&key)) else { return state };
        let result = self.results.entry((round, state_at, key_at)).or_insert_with(|| {
            let (bits, next) = (OnceCell::new(), RefCell::default());
            Rc::new(Result { round, state: state.clone(), key, bits, next })
        });
        if let Lane::Round(before) = &state {
            *before.next.borrow_mut() = Rc::downgrade(result);
        }
        Lane::Round(result.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algebra::{Bit, Kind, base};

    fn lane(index: u64) -> Lane {
        let mut bits = [Bit::ZERO; 128];
        base(Kind::Data, index, &mut bits);
        Lane::from_bits(&bits)
    }

    const ROUNDS: [Round; 6] = [
        Round::Whole { function: Function::Sub, last: false },
        Round::Whole { function: Function::Sub, last: true },
        Round::Whole { function: Function::InverseSub, last: false },
        Round::Substitution(Function::Sub),
        Round::Substitution(Function::InverseSub),
        Round::Mixing(Function::InverseSub),
    ];

    /// Chains of rounds are what their rounds are, one by one; asked for in the middle or not, and another time, too.
    #[test]
    fn chains() {
        let mut rounds = Rounds::default();
        rounds.expect(100);
        for middle in [false, true, false] {
            let (mut state, mut bits) = (lane(0), lane(0).bits());
            for (i, round) in ROUNDS.into_iter().chain(ROUNDS).enumerate() {
                let key = lane(1 + i as u64 % 4);
                state = rounds.execute(round, &state, &key);
                bits = round.of(&bits, &key.bits());
                if middle && i % 3 == 1 {
                    assert_eq!(state.bits(), bits);
                }
            }
            assert_eq!(state.bits(), bits);
        }
        assert_eq!(rounds.results.len(), 2 * ROUNDS.len());
    }

    /// Whatever bit is different, so is the result: whether the hash sees it or not.
    #[test]
    fn inputs_are_compared() {
        // Few are kept here.
        let mut rounds = Rounds { most: 40, ..Rounds::default() };
        let key = lane(1);
        for i in 0..128 {
            for _ in 0..2 {
                let mut bits = lane(0).bits();
                bits[i] = !bits[i];
                let result = rounds.execute(ROUNDS[0], &Lane::from_bits(&bits), &key);
                assert_eq!(result.bits(), ROUNDS[0].of(&bits, &key.bits()), "bit {i}");
                let result = rounds.execute(ROUNDS[1], &key, &Lane::from_bits(&bits));
                assert_eq!(result.bits(), ROUNDS[1].of(&key.bits(), &bits), "bit {i}");
            }
        }
        let known = rounds.execute(ROUNDS[0], &Lane::Known(5), &Lane::Known(7));
        assert!(known.known().is_some());
        assert_eq!(known.bits(), ROUNDS[0].of(&Lane::Known(5).bits(), &Lane::Known(7).bits()));
    }
}
