//! All lengths of a data unit: that a lap of the kernel's loop leads from the state before it to the same state, of what is
//! shorter by that lap.
//!
//! Lengths are `period * n + rest`, for each n of a range (`pointers.rs`). `state(n)` is what registers, stack and destination
//! are at a certain place in the loop. Three runs show what is needed:
//!
//! 1. *A*: a unit of `period * n + rest` bytes, whose data and destination are those of *B* from byte `period` on, and whose
//!    first encrypted tweak is that of B times x^(period / 16). It is stopped at the place: `state(n)`, of these inputs.
//! 2. *B*: a unit of `period * (n + 1) + rest` bytes. It is stopped at the place: `state(n + 1)`. What differs in the end (a
//!    register or a byte of the stack that holds something old) is made unknown here. Then it goes on, with any n from a
//!    small one on, until it has gone as far as A. The states must be the same, but for what was made unknown; and the first
//!    `period` bytes of the destination must be what the standard says.
//! 3. *C*: as B, but from the place on with that small n alone. The same parts are made unknown, and it goes on to its end:
//!    all that it writes must be right.
//!
//! Some of what differs is no rubbish, but belongs to the whole call: its length, or where its buffers start, which are
//! asked for again behind the loop. A lap keeps such a part as it is, and does not use it; so it is not made unknown in C,
//! but what it would be after d laps, with the range's n for d: in C the buffers start behind those laps.
//!
//! So, by induction on n: from `state(n)`, old parts whatever they are, and for any inputs, each lap writes what is right, and
//! arrives at `state(n - 1)` of the inputs that are left; and from the small n the call ends as it should. The standard is
//! recursive in the same way: behind its first `period` bytes a unit is a shorter one, under another tweak.
//!
//! That A's encrypted tweak is what it should be, while the S-box is any function, is done by the last round key of the
//! second key: A's is the sum that makes it so. So the states must not depend on that key afterwards: it is among the parts
//! that are made unknown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// Data units of `period * n + rest` bytes, for each n that makes that `least` to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Laps {
    /// Bytes of one step of the induction: a lap of the loop, or several. A multiple of 64.
    pub period: usize,
    /// The least length, in bytes.
    pub least: usize,
    /// The largest one.
    pub most: usize,
    /// Bytes beside whole periods.
    pub rest: usize,
}

impl Laps {
    /// All n.
    fn numbers(&self) -> std::ops::Range<usize> {
        let least = self.least.saturating_sub(self.rest).div_ceil(self.period);
        least..self.most.checked_sub(self.rest).map_or(least, |most| most / self.period + 1)
    }
}

/// Lengths, in bytes, at which some backend takes another way: near them is no loop whose laps are all the same.
const BORDERS: [usize; 4] = [8704, 10240, 16384, 2 << 20];

/// How often the place may be reached in one period.
const MOST_LAPS: u64 = 16;

/// How a range of lengths was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Induction,
    /// What is below a border by itself, and what is above it.
    Border(usize),
    OneByOne,
    /// Three periods at once, each of their three rests by itself.
    Thrice,
}

/// What the way of a proof hardly depends on the rest of: lengths, a direction, a place, and where the stack begins.
type Like = (usize, usize, usize, Direction, Place, u64);

fn like(laps: &Laps, direction: Direction, place: Place, skew: u64) -> Like {
    (laps.period, laps.least, laps.most, direction, place, skew / 2 % 4)
}

/// How proofs went. What went for one rest is tried first for the next one: it is likely to do. Whatever is tried is proved in
/// full.
#[derive(Debug, Default)]
pub struct Experience {
    ways: HashMap<Like, Way>,
    steps: HashMap<Like, Vec<Step>>,
}

/// An induction: its small n, its lap, and which parts are old.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    small: u64,
    lap: Lap,
    old: BTreeSet<Part>,
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

/// A lap: where it begins, and how often B has come by there when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lap {
    start: Stop,
    end: u64,
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
    /// Proves all of these lengths: at once, if there is one loop for all of them, or between the borders, and a few between two
    /// of these one by one.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn laps(&mut self, laps: &Laps, direction: Direction, place: Place, skew: u64) -> Outcome<()> {
        let like = like(laps, direction, place, skew);
        if let Some(way) = self.experience.ways.get(&like).copied()
            && self.by_way(way, laps, direction, place, skew).is_ok()
        {
            return Ok(());
        }
        let result = self.by_way(Way::Induction, laps, direction, place, skew);
        let inside = BORDERS.into_iter().find(|border| (laps.least + 1..=laps.most).contains(border));
        let (way, result) = match (result, inside) {
            (Ok(()), _) => (Way::Induction, Ok(())),
            (Err(_), Some(border)) => {
                let way = Way::Border(border);
                (way, self.by_way(way, laps, direction, place, skew))
            }
            (Err(_), None) if laps.numbers().len() <= 3 => {
                (Way::OneByOne, self.by_way(Way::OneByOne, laps, direction, place, skew))
            }
            // Some loops take three tiles at once.
            (Err(fault), None) => {
                (Way::Thrice, self.by_way(Way::Thrice, laps, direction, place, skew).map_err(|_| fault))
            }
        };
        if result.is_ok() {
            self.experience.ways.insert(like, way);
        }
        result
    }

    fn by_way(
        &mut self,
        way: Way,
        laps: &Laps,
        direction: Direction,
        place: Place,
        skew: u64,
    ) -> Outcome<()> {
        let Laps { period, rest, .. } = *laps;
        match way {
            Way::Induction => self.by_induction(laps, direction, place, skew),
            Way::Border(border) => {
                self.laps(&Laps { most: border - 1, ..*laps }, direction, place, skew)?;
                self.laps(&Laps { least: border, ..*laps }, direction, place, skew)
            }
            Way::OneByOne => {
                laps.numbers().try_for_each(|n| self.unit(period * n + rest, direction, place, skew))
            }
            Way::Thrice => (0..3).try_for_each(|i| {
                let laps = Laps { period: 3 * period, rest: rest + i * period, ..*laps };
                self.by_induction(&laps, direction, place, skew)
            }),
        }
    }

    /// Proves all of these lengths at once.
    fn by_induction(&mut self, laps: &Laps, direction: Direction, place: Place, skew: u64) -> Outcome<()> {
        let numbers = laps.numbers();
        if numbers.len() < 3 {
            return Err(Fault::no_model("an induction over so few lengths"));
        }
        // A's n: B's is one more.
        let range = Range { least: numbers.start as u64, most: numbers.end as u64 - 2 };
        let attempt = |subject: &mut Self, small: u64, lap: Option<Lap>, old: BTreeSet<Part>| {
            pointers::set_range(range);
            subject.case((laps, range), direction, place, skew).and_then(|case| {
                let result = subject.induction(&case, small, lap, old);
                subject.set_object(&case.object);
                result
            })
        };
        let like = like(laps, direction, place, skew);
        let known = self.experience.steps.get(&like).cloned().unwrap_or_default();
        let is_known = known
            .into_iter()
            .rev()
            .take(3)
            .filter(|step| step.small <= range.least)
            .any(|step| attempt(self, step.small, Some(step.lap), step.old).is_ok());
        let mut result = if is_known { Ok(()) } else { Err(Fault::no_model("a loop")) };
        // The loop may have parts, of which the last ones are for the last n alone.
        for small in [1, 3, 5, 6].into_iter().filter(|small| *small <= range.least) {
            if result.is_ok() {
                break;
            }
            result = attempt(self, small, None, BTreeSet::new()).map(|(lap, old)| {
                self.experience.steps.entry(like).or_default().push(Step { small, lap, old });
            });
            if result.as_ref().is_err_and(|fault| fault.kind != Kind::Secret) {
                break;
            }
        }
        pointers::set_range(Range { least: 0, most: 0 });
        result
    }

    /// Looks up what is the same in all runs.
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
                    Held::Bits(bits) => {
                        // A vector register may hold pointers.
                        let mut renamed = None;
                        for (i, half) in bits.chunks_exact(64).enumerate() {
                            if let Some(pointer) = Pointer::from_bits(half) {
                                let all = renamed.get_or_insert_with(|| bits.to_vec());
                                all[64 * i..64 * (i + 1)].copy_from_slice(&pointer.renamed(&names).bits());
                            }
                        }
                        Held::Bits(renamed.map_or(bits, Into::into))
                    }
                };
                (part, held)
            })
            .collect()
    }

    /// Proves it for one range of n, with this lap or the one that it finds, and with at least these old parts; gives the lap
    /// and the old parts.
    fn induction(
        &mut self,
        case: &Case<'_>,
        small: u64,
        lap: Option<Lap>,
        mut old: BTreeSet<Part>,
    ) -> Outcome<(Lap, BTreeSet<Part>)> {
        let Laps { period, rest, .. } = *case.laps;
        let Range { least, most } = case.range;
        // What the entry's n is more than the small one, and how long units of that one are.
        let more = least - small;
        let shortest = period * small as usize + rest;
        let least = period * least as usize + rest;
        let a = Run { from: period, least, scale: period };
        let b = Run { from: 0, least: least + period, scale: period };
        let c = Run { from: 0, ..a };
        let steps = 10_000 + 1000 * period as u64;
        self.expect(shortest + 4 * period);
        let static_writes = self.machine.memory().static_writes;

        // The encrypted tweaks.
        let encrypted = standard::cipher(&self.key2, &case.tweak);
        let mut later = encrypted;
        for _ in 0..period / 16 {
            later = standard::times_alpha(&later);
        }
        let last = *self.key2.last().unwrap_or(&[Bit::ZERO; 128]);
        let other_last = xor(&xor(&encrypted, &last), &later);

        let start = match lap {
            Some(Lap { start, .. }) => start,
            None => self.place_in_loop(case, a)?,
        };
        let lost = |what: &str| Fault { at: Some(start.at), ..Fault::new(Kind::Endless, what) };
        self.begin(case, a)?;
        self.set_last_key(case, &other_last);
        if !self.machine.go_on(steps, Some(start))? {
            return Err(lost("the loop is not reached again"));
        }
        let state = self.machine.state();
        let state_a = self.renamed(case, state, a.from, b.from);
        let shorter_a: State = state_a.iter().map(|(part, held)| (*part, held.for_less(more))).collect();
        let destination_a = self.destination()?.bits(0, shortest);

        let time = match lap {
            Some(Lap { end, .. }) => end,
            None => {
                self.end_of_lap(case, b, start, &state_a)?.ok_or_else(|| lost("a lap does not lead there"))?
            }
        };

        // The step, from a state whose old parts are anything.
        let mut whole;
        loop {
            pointers::set_range(case.range);
            self.begin(case, b)?;
            if !self.machine.go_on(steps, Some(start))? {
                return Err(lost("the loop is not reached again"));
            }
            let state = self.machine.state();
            whole = of_the_whole(&state, &state_a, &old);
            pointers::set_range(Range { least: small, most });
            self.restrict(&state, more, shortest + period);
            self.make_unknown(case, &old);
            let unknown = self.machine.state();
            if !self.machine.go_on(steps, Some(Stop { time, ..start }))? {
                return Err(lost("a lap leads somewhere else"));
            }
            let state = self.machine.state();
            // What is not kept is no more than old.
            whole.retain(|part, _| words(*part).all(|part| unknown.get(&part) == state.get(&part)));
            let before = old.len();
            old.extend(differences(&state, &shorter_a));
            if old.len() == before {
                break;
            }
        }
        self.lap_is_right(case, &destination_a)?;

        // The end, for the small n.
        pointers::set_range(case.range);
        self.begin(case, c)?;
        if !self.machine.go_on(steps, Some(start))? {
            return Err(lost("the loop is not reached again"));
        }
        let state = self.machine.state();
        // A call may have begun with one n more than A.
        pointers::set_range(Range { least: 0, most: most + 1 - case.range.least });
        self.restrict(&state, more, shortest);
        self.make_unknown(case, &old);
        for part in state.keys().filter(|part| !old.contains(part)) {
            if let Some(value) = value_of(&state, *part) {
                self.machine.set(*part, value.for_less(more).growing(0));
            }
        }
        for (part, scale) in whole {
            if let Some(value) = value_of(&state, part) {
                self.machine.set(part, value.for_less(more).behind(more, scale));
            }
        }
        for name in ["the source", "the destination"] {
            self.machine.memory().grow(name, 0);
        }
        self.machine.go_on(steps + 1000 * shortest as u64, None)?;
        if self.machine.memory().static_writes != static_writes {
            return Err(Fault::no_model("a static variable that a call writes: it is no part of the states"));
        }
        match self.machine.end()? {
            0 => {}
            status => return Err(Fault::new(Kind::Status, format!("the call returns {status}"))),
        }
        let tweak = case.tweak;
        self.check(&["the destination".into()], (shortest, 1), |_, _| Ok(tweak), case.direction)?;
        Ok((Lap { start, end: time }, old))
    }

    /// How often B reaches the place before it is where A is: that is where least is different.
    fn end_of_lap(&mut self, case: &Case<'_>, b: Run, start: Stop, a: &State) -> Outcome<Option<u64>> {
        self.begin(case, b)?;
        let mut nearest: Option<(u64, usize)> = None;
        for time in start.time + 1..=start.time + MOST_LAPS {
            let steps = 10_000 + 1000 * case.laps.period as u64;
            match self.machine.go_on(steps, Some(Stop { time, ..start })) {
                Ok(true) => {}
                // More has to be known of n.
                Err(fault) if nearest.is_none() => return Err(fault),
                _ => break,
            }
            let different = differences(&self.machine.state(), a).len();
            if nearest.is_none_or(|(_, least)| different < least) {
                nearest = Some((time, different));
            }
        }
        Ok(nearest.map(|(time, _)| time))
    }

    /// Has what depends on n be for a least one that is less by `less`; of source and destination so many bytes are left.
    fn restrict(&mut self, state: &State, less: u64, len: usize) {
        // What was written before as bits is forgotten: all of it is written again.
        for (part, held) in state {
            match held {
                Held::Value(value) => self.machine.set(*part, value.for_less(less)),
                Held::Bits(_) => {}
            }
        }
        for name in ["the source", "the destination"] {
            if let Some(region) = self.machine.memory().region(name) {
                region.truncate(len);
            }
        }
    }

    /// A place in the loop, early on.
    fn place_in_loop(&mut self, case: &Case<'_>, run: Run) -> Outcome<Stop> {
        let (trace, fault) = self.trace(case, run, 5_000 + 8 * case.laps.period as u64)?;
        let mut times: HashMap<u64, u64> = HashMap::new();
        for at in &trace {
            *times.entry(*at).or_default() += 1;
        }
        // Where it was last, of what it came by several times.
        let again = |at: &&u64| times[at] >= 3;
        let last = trace.iter().rev().find(again);
        let no_loop =
            || Fault { kind: Kind::NoModel, text: format!("no loop is reached: {}", fault.text), ..fault };
        let at = *last.ok_or_else(no_loop)?;
        Ok(Stop { at, time: 2 })
    }

    /// The first addresses that a run goes through, so many at most, and not more than before it has to know more of n.
    fn trace(&mut self, case: &Case<'_>, run: Run, steps: u64) -> Outcome<(Vec<u64>, Fault)> {
        self.begin(case, run)?;
        self.machine.keep_trace(true);
        let result = self.machine.go_on(steps, None);
        let trace = self.machine.keep_trace(false);
        match result {
            Err(fault) if matches!(fault.kind, Kind::Secret | Kind::Endless) => Ok((trace, fault)),
            Err(fault) => Err(fault),
            Ok(_) => Err(Fault::no_model("a length that nothing depends on")),
        }
    }

    /// Makes parts of the state unknown, and the last round key of the second key.
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
    fn lap_is_right(&mut self, case: &Case<'_>, a: &[Bit]) -> Outcome<()> {
        let period = case.laps.period;
        let b = self.destination()?;
        if b.bits(period, b.len() - period) != a {
            return Err(Fault::new(Kind::Wrong, "a lap writes to what is behind it"));
        }
        let data = Contents::input(self.inputs, algebra::Kind::Data, 0, period);
        let block = |j: usize| data.bits(16 * j, 16).try_into().expect("16 bytes");
        let mut comparison = Comparison::new(self, &["the destination".into()])?;
        let output = |bits: &[Bit]| comparison.next(bits);
        self.specify(&case.tweak, period, block, output, case.direction);
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
            Held::Bits(some) => bits.extend_from_slice(some),
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
