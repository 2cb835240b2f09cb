//! All lengths of a data unit: that a lap of the kernel's loop leads from the state before it to the same state, of what is
//! shorter by that lap.
//!
//! Lengths are `period * n + rest`, for each n of a range (`pointers.rs`), and `state(n)` is what registers, stack and
//! destination are when the loop's branch is reached for the first time: that is the branch at which a symbolic n is asked
//! for once too often. Three runs show what is needed:
//!
//! 1. *A*: a unit of `period * n + rest` bytes, whose data and destination are those of *B* from byte `period` on, and whose
//!    first encrypted tweak is that of B times x^(period / 16). It is stopped at the branch: `state(n)`, of these inputs.
//! 2. *B*: a unit of `period * (n + 1) + rest` bytes. It is stopped at the branch: `state(n + 1)`. What differs in the end (a
//!    register or a byte of the stack that holds something old) is made unknown here. Then it goes on, until it has gone as
//!    far as A. The states must be the same, but for what was made unknown; and the first `period` bytes of the destination
//!    must be what the standard says.
//! 3. *C*: a unit of the least length. It is stopped at the branch, the same parts are made unknown, and it goes on to its
//!    end: all that it writes must be right.
//!
//! Some of what differs is no rubbish, but belongs to the whole call: its length, or where its buffers start, which are
//! asked for again behind the loop. A lap keeps such a part as it is, and does not use it; so it is not made unknown in C,
//! but what it would be after d laps, with the range's n for d: in C the buffers start behind those laps.
//!
//! So, by induction on n: from `state(n)`, old parts whatever they are, and for any inputs, each lap writes what is
//! right, and arrives at `state(n - 1)` of the inputs that are left; and from the least n the call ends as it should. The
//! standard is recursive in the same way: behind its first `period` bytes a unit is a shorter one, under another tweak.
//!
//! That A's encrypted tweak is what it should be, while the S-box is any function, is done by the last round key of the
//! second key: A's is the sum that makes it so. So the states must not depend on that key afterwards: it is among the parts
//! that are made unknown.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    aes::{Block, xor},
    algebra::{self, Bit},
    contents::Contents,
    fault::{Fault, Kind, Outcome},
    machine::{Held, Part, State, Stop},
    memory::STACK,
    pointers::{self, Pointer, Range, Value},
    standard::{self, Direction},
    subject::{Comparison, DESTINATION, OBJECT, Place, SOURCE, Subject, TWEAK, XTS, function},
    words::Word,
};

/// Data units of `period * n + rest` bytes, at most `most`, for each n from `least` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Laps {
    /// Bytes of one step of the induction: a lap of the loop, or several. A multiple of 64.
    pub period: usize,
    /// The least n.
    pub least: usize,
    /// The largest length, in bytes.
    pub most: usize,
    /// Bytes beside whole periods.
    pub rest: usize,
}

/// One of the three runs.
#[derive(Clone, Copy)]
struct Run {
    /// Where its data begins among that of B.
    from: usize,
    /// Its length for the least n, and by how much it grows with n.
    least: usize,
    scale: usize,
}

/// What stays the same from run to run.
struct Case<'a> {
    laps: &'a Laps,
    direction: Direction,
    place: Place,
    skew: u64,
    tweak: Block,
    /// The range of n.
    range: Range,
    /// The key object, and where the last round key of the second key lies in it.
    object: Contents,
    last_keys: Vec<usize>,
}

impl Subject<'_> {
    /// Proves all of these lengths.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn laps(&mut self, laps: &Laps, direction: Direction, place: Place, skew: u64) -> Outcome<()> {
        let most = (laps.most - laps.rest) / laps.period;
        // A's n: B's is one more.
        let range = Range { least: laps.least as u64, most: most as u64 - 1 };
        pointers::set_range(range);
        let result = self.case((laps, range), direction, place, skew).and_then(|case| {
            let result = self.induction(&case);
            self.set_object(&case.object);
            result
        });
        pointers::set_range(Range { least: 0, most: 0 });
        result
    }

    fn case<'b>(
        &mut self,
        (laps, range): (&'b Laps, Range),
        direction: Direction,
        place: Place,
        skew: u64,
    ) -> Outcome<Case<'b>> {
        self.start(skew / 2);
        let object = self.machine.memory().region(OBJECT).map(|region| region.contents.clone());
        let object = object.ok_or_else(|| Fault::new(Kind::Wrong, "the key object is gone"))?;
        let last = *self.key2.last().unwrap_or(&[Bit::ZERO; 128]);
        let bits = object.bits(0, object.len());
        let last_keys: Vec<usize> =
            (0..object.len() - 15).filter(|at| bits[8 * at..8 * at + 128] == last).collect();
        if last_keys.is_empty() {
            return Err(Fault::no_model("a key object without the last round key of the second key"));
        }
        let tweak = self.inputs.bits(algebra::Kind::Tweak, 16).try_into().expect("16 bytes");
        Ok(Case { laps, direction, place, skew, tweak, range, object, last_keys })
    }

    fn set_object(&mut self, object: &Contents) {
        self.machine.memory().put(OBJECT, XTS, object.clone(), false);
    }

    /// The key object with another last round key of the second key.
    fn set_last_key(&mut self, case: &Case<'_>, key: &Block) {
        if let Some(object) = self.machine.memory().region(OBJECT) {
            for at in &case.last_keys {
                object.contents.write(*at, key);
            }
        }
    }

    /// Begins a run.
    fn begin(&mut self, case: &Case<'_>, run: Run) -> Outcome<()> {
        let Case { skew, place, .. } = *case;
        let (mut source, mut destination) = (SOURCE, DESTINATION);
        if skew & 8 != 0 {
            (source, destination) = (destination, source);
        }
        let source = source + skew % 64 + run.from as u64;
        let destination = destination + skew * 3 % 64 + run.from as u64;
        self.machine.place_stack(true, skew / 2);
        let (data, before) = (self.data(run.from, run.least), self.before(run.from, run.least, place));
        let memory = self.machine.memory();
        memory.keep(&[STACK]);
        memory.put("the destination", destination, before, true);
        if place == Place::Apart {
            memory.put("the source", source, data, false);
        }
        memory.put("the tweak", TWEAK, case.tweak.to_vec(), false);
        for name in ["the source", "the destination"] {
            memory.grow(name, run.scale as u64);
        }
        self.set_object(&case.object);
        let source = if place == Place::Apart { source } else { destination };
        let mut arguments: Vec<Word> =
            [XTS, TWEAK, source, destination].map(|at| self.placed(&Word::Known(at))).to_vec();
        arguments.push(match run.scale {
            0 => Word::Known(run.least as u64),
            scale => Word::Pointer(Pointer::count(run.least as u64, scale as u64)),
        });
        let function = self.library.export(&function("unit", case.direction))?;
        self.machine.begin(function, &arguments)
    }

    /// The addresses of a run's regions as those of another one: source and destination are other regions there.
    fn renamed(&self, case: &Case<'_>, state: State, from: usize, to: usize) -> State {
        let mut bases = [SOURCE, DESTINATION];
        if case.skew & 8 != 0 {
            bases.reverse();
        }
        let [source, destination] = [bases[0] + case.skew % 64, bases[1] + case.skew * 3 % 64];
        let names = [source, destination].map(|base| (base + from as u64, base + to as u64));
        let one = |value: Value| match value {
            Value::Pointer(pointer) => Value::Pointer(pointer.renamed(&names)),
            number => number,
        };
        state
            .into_iter()
            .map(|(part, held)| {
                let held = match held {
                    Held::Value(value) => Held::Value(one(value)),
                    Held::Bits(mut bits) => {
                        // A vector register may hold pointers.
                        for half in bits.chunks_exact_mut(64) {
                            if let Some(pointer) = Pointer::from_bits(half) {
                                half.copy_from_slice(&pointer.renamed(&names).bits());
                            }
                        }
                        Held::Bits(bits)
                    }
                };
                (part, held)
            })
            .collect()
    }

    fn induction(&mut self, case: &Case<'_>) -> Outcome<()> {
        let Laps { period, least, rest, .. } = *case.laps;
        let least = period * least + rest;
        let a = Run { from: period, least, scale: period };
        let b = Run { from: 0, least: least + period, scale: period };
        let c = Run { from: 0, least, scale: 0 };
        let most_steps = 1_000_000 + 1000 * least as u64;

        // The encrypted tweaks.
        let encrypted = standard::cipher(&self.key2, &case.tweak);
        let mut later = encrypted;
        for _ in 0..period / 16 {
            later = standard::times_alpha(&later);
        }
        let last = *self.key2.last().unwrap_or(&[Bit::ZERO; 128]);
        let other_last = xor(&xor(&encrypted, &last), &later);

        // Where both are when more has to be known of n, and have been last before.
        let traces = [self.trace(case, a, most_steps)?, self.trace(case, b, most_steps)?];
        let times = |at: u64| {
            let [a, b] = &traces;
            [a, b].map(|trace| trace.iter().filter(|passed| **passed == at).count() as u64)
        };
        let mut seen = HashSet::new();
        let candidates = traces[0].iter().rev().copied().filter(|at| seen.insert(*at));
        let found = candidates.map(|at| (at, times(at))).find(|(_, [a, b])| b > a);
        let (at, [time_a, time_b]) = found.ok_or_else(|| Fault::no_model("a length with no lap more"))?;
        let (start, end) = (Stop { at, time: time_a }, Stop { at, time: time_b });
        let lost = |what: &str| Fault { at: Some(at), ..Fault::new(Kind::Endless, what) };

        self.begin(case, a)?;
        self.set_last_key(case, &other_last);
        if !self.machine.go_on(most_steps, Some(start))? {
            return Err(lost("the loop is not reached again"));
        }
        let state = self.machine.state();
        let state_a = self.renamed(case, state, a.from, b.from);
        let destination_a = self.destination()?;

        // The step, from a state whose old parts are anything.
        let mut old = BTreeSet::new();
        let mut whole;
        loop {
            self.begin(case, b)?;
            self.machine.go_on(most_steps, Some(start))?;
            let before = self.machine.state();
            whole = of_the_whole(&before, &state_a, &old);
            self.make_unknown(case, &old);
            let unknown = self.machine.state();
            if !self.machine.go_on(most_steps, Some(end))? {
                return Err(lost("a lap leads somewhere else"));
            }
            let state = self.machine.state();
            // What is not kept is no more than old.
            whole.retain(|part, _| words(*part).all(|part| unknown.get(&part) == state.get(&part)));
            let more: Vec<Part> =
                differences(&state, &state_a).into_iter().filter(|part| !old.contains(part)).collect();
            if more.is_empty() {
                break;
            }
            old.extend(more);
        }
        if std::env::var("LAPS").is_ok() {
            let st = self.machine.state();
            eprintln!("at {at:x} time {time_a} {time_b}: whole {whole:x?}");
            for p in &old {
                let d = match (st.get(p), state_a.get(p)) {
                    (Some(Held::Value(a)), Some(Held::Value(b))) => format!("{a:x?} {b:x?}"),
                    _ => "bits".into(),
                };
                eprintln!("  {p:x?} {d}");
            }
        }
        self.lap_is_right(case, &destination_a)?;

        // The end.
        self.begin(case, c)?;
        if !self.machine.go_on(most_steps, Some(start))? {
            return Err(lost("the shortest unit does not reach the loop"));
        }
        let shortest = self.machine.state();
        self.make_unknown(case, &old);
        pointers::set_range(Range { least: 0, most: case.range.most - case.range.least });
        for (part, more) in whole {
            if let Some(value) = value_of(&shortest, part) {
                self.machine.set(part, value.growing(more));
            }
        }
        self.machine.go_on(most_steps, None)?;
        self.old_parts = self.old_parts.max(old.len());
        match self.machine.end()? {
            0 => {}
            status => return Err(Fault::new(Kind::Status, format!("the call returns {status}"))),
        }
        let tweak = case.tweak;
        self.check(&["the destination".into()], (least, 1), |_, _| Ok(tweak), case.direction)
    }

    /// The addresses that a run goes through before it has to know more of n.
    fn trace(&mut self, case: &Case<'_>, run: Run, most_steps: u64) -> Outcome<Vec<u64>> {
        self.begin(case, run)?;
        self.machine.keep_trace(true);
        let result = self.machine.go_on(most_steps, None);
        let trace = self.machine.keep_trace(false);
        match result {
            Err(fault) if fault.kind == Kind::Secret => Ok(trace),
            Err(fault) => Err(fault),
            Ok(_) => Err(Fault::no_model("a length that nothing depends on")),
        }
    }

    fn make_unknown(&mut self, case: &Case<'_>, parts: &BTreeSet<Part>) {
        self.machine.make_unknown(parts);
        let mut key = [Bit::ZERO; 128];
        self.machine.unknowns().fill(&mut key);
        self.set_last_key(case, &key);
    }

    fn destination(&mut self) -> Outcome<Contents> {
        let region = self.machine.memory().region("the destination");
        region
            .map(|region| region.contents.clone())
            .ok_or_else(|| Fault::new(Kind::Wrong, "the destination is gone"))
    }

    /// Whether B has written what the standard says in its lap, and is as A behind it.
    fn lap_is_right(&mut self, case: &Case<'_>, a: &Contents) -> Outcome<()> {
        let period = case.laps.period;
        let b = self.destination()?;
        if b.bits(period, a.len()) != a.bits(0, a.len()) {
            return Err(Fault::new(Kind::Wrong, "a lap writes to what is behind it"));
        }
        let data = Contents::input(self.inputs, algebra::Kind::Data, 0, period);
        let block = |j: usize| data.bits(16 * j, 16).try_into().expect("16 bytes");
        let mut comparison = Comparison::new(self, &["the destination".into()])?;
        let output = |bits: &[Bit]| comparison.next(bits);
        standard::unit(&self.key1, &self.key2, &case.tweak, period, block, output, case.direction);
        comparison.result_so_far(period)
    }
}

/// The parts that make a value: a register, or eight bytes of the stack.
fn words(part: Part) -> impl Iterator<Item = Part> {
    let count = if matches!(part, Part::Stack(_)) { 8 } else { 1 };
    (0..count).map(move |i| match part {
        Part::Stack(at) => Part::Stack(at + i),
        other => other,
    })
}

/// The number or pointer in a register, or in eight bytes of the stack.
fn value_of(state: &State, part: Part) -> Option<Value> {
    let mut bits = Vec::new();
    for part in words(part) {
        match state.get(&part)? {
            Held::Value(value) => return Some(*value),
            Held::Bits(some) => bits.extend(some),
        }
    }
    Word::from_bits(bits.get(..64)?).value()
}

/// Old parts that may belong to the whole call: numbers and pointers, and how much larger they are in the longer one.
fn of_the_whole(longer: &State, shorter: &State, old: &BTreeSet<Part>) -> BTreeMap<Part, i64> {
    let word = |part: &&Part| match part {
        Part::General(_) => true,
        Part::Stack(at) => at % 8 == 0,
        _ => false,
    };
    let more = |part: &Part| match (longer.get(part)?, shorter.get(part)?) {
        (Held::Value(a), Held::Value(b)) => a.more_than(*b),
        _ => None,
    };
    old.iter().filter(word).filter_map(|part| Some((*part, more(part)?))).collect()
}

/// Parts that hold something else.
fn differences(state: &State, other: &State) -> BTreeSet<Part> {
    let parts: BTreeSet<Part> = state.keys().chain(other.keys()).copied().collect();
    parts.into_iter().filter(|part| state.get(part) != other.get(part)).collect()
}
