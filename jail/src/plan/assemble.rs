//! Pure. From rules to the program that the kernel runs.
//!
//! The number of the call is looked up in a tree of ranges: neighbours with the same answer are one. What is always
//! allowed the kernel notices when the filter is installed, and never runs the program for those again.

use super::filter::Instruction;
use super::refusals::{NATIVE, OTHER_ABI};
use super::rules::{Answer, Clause, Compare, Relation, Rules, Test};

/// Most instructions that the kernel takes (`BPF_MAXINSNS`).
pub(super) const INSTRUCTIONS_MAX: usize = 4096;

pub(super) const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
pub(super) const MASK: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
pub(super) const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
pub(super) const ABOVE: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
pub(super) const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
pub(super) const ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
pub(super) const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
pub(super) const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

// Places in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What becomes of a range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaf<'a> {
    Always(Answer),
    /// By the first clause that holds.
    Asks(&'a [Clause]),
}

/// Where a comparison leads.
#[derive(Clone, Copy)]
enum Go {
    Next,
    /// Behind the test: it holds.
    Holds,
    /// Behind the clause: it does not hold.
    Fails,
}

/// One instruction of a test.
type Piece = (u16, u32, Go, Go);

/// The whole program: calls by another architecture's door end the process, since their numbers mean other things;
/// then the tree, then the clauses of those ranges that ask for arguments.
pub(super) fn assemble(rules: &Rules) -> Vec<Instruction> {
    let mut program = vec![
        plain(LOAD, ARCHITECTURE),
        jump(EQUAL, NATIVE, (1, 0)),
        answer(Answer::KILL),
        plain(LOAD, NUMBER),
    ];
    if let Some(first) = OTHER_ABI {
        // What a kernel without that second set of numbers says.
        program.extend([jump(AT_LEAST, first, (0, 1)), answer(Answer::errno(libc::ENOSYS))]);
    }
    let ranges = ranges(rules);
    let asked = distinct(&ranges);
    let start = program.len();
    program.extend(tree(&ranges, &asked));
    let places: Vec<usize> =
        asked.iter().map(|clauses| place(&mut program, clauses, rules.otherwise)).collect();
    for (at, instruction) in program.iter_mut().enumerate().skip(start).filter(|(_, one)| one.code == JUMP) {
        if instruction.no == TO_CLAUSES {
            *instruction = plain(JUMP, (places[instruction.operand as usize] - at - 1) as u32);
        }
    }
    program
}

/// Marks a jump whose operand is the number of a list of clauses, until that has its place.
const TO_CLAUSES: u8 = 1;

/// First numbers of the ranges, in order, and what becomes of each.
fn ranges(rules: &Rules) -> Vec<(u32, Leaf<'_>)> {
    let mut ranges = vec![(0, Leaf::Always(rules.otherwise))];
    let last = rules.calls.keys().next_back().copied();
    for (number, clauses) in &rules.calls {
        extend(&mut ranges, *number, leaf(clauses));
        let behind = if Some(*number) == last { rules.newer } else { rules.otherwise };
        extend(&mut ranges, number + 1, Leaf::Always(behind));
    }
    ranges
}

fn extend<'a>(ranges: &mut Vec<(u32, Leaf<'a>)>, first: u32, leaf: Leaf<'a>) {
    if ranges.last().is_some_and(|(known, _)| *known == first) {
        ranges.pop();
    }
    if ranges.last().is_none_or(|(_, known)| *known != leaf) {
        ranges.push((first, leaf));
    }
}

fn leaf(clauses: &[Clause]) -> Leaf<'_> {
    match clauses {
        [Clause { tests, answer }, ..] if tests.is_empty() => Leaf::Always(*answer),
        clauses => Leaf::Asks(clauses),
    }
}

/// Each list of clauses once: many calls share one.
fn distinct<'a>(ranges: &[(u32, Leaf<'a>)]) -> Vec<&'a [Clause]> {
    let mut lists: Vec<&[Clause]> = Vec::new();
    for (_, leaf) in ranges {
        match leaf {
            Leaf::Asks(clauses) if !lists.contains(clauses) => lists.push(clauses),
            _ => {}
        }
    }
    lists
}

fn tree(ranges: &[(u32, Leaf<'_>)], asked: &[&[Clause]]) -> Vec<Instruction> {
    match ranges {
        [] => Vec::new(),
        [(_, leaf)] => vec![end(leaf, asked)],
        several => {
            if let Some(row) = row(several, asked) {
                return row;
            }
            let (low, high) = several.split_at(middle(several.len()));
            let (first, low) = (high[0].0, tree(low, asked));
            let mut both = match u8::try_from(low.len()) {
                Ok(over) => vec![jump(AT_LEAST, first, (over, 0))],
                // Further than a comparison can jump.
                Err(_) => vec![jump(AT_LEAST, first, (0, 1)), plain(JUMP, low.len() as u32)],
            };
            both.extend(low);
            both.extend(tree(high, asked));
            both
        }
    }
}

/// Half of them, so that both begin with what lies between the numbers that are listed.
fn middle(ranges: usize) -> usize {
    match (ranges / 2) & !1 {
        0 => 1,
        even => even,
    }
}

/// Most numbers that are compared one by one.
const ROW_MAX: usize = 4;

/// A few single numbers between ranges that are all the same: to compare with each is shorter than a tree.
fn row(ranges: &[(u32, Leaf<'_>)], asked: &[&[Clause]]) -> Option<Vec<Instruction>> {
    let (first, rest) = ranges.split_first()?;
    let pairs: Vec<_> = rest.chunks(2).collect();
    let is_single = |pair: &&[(u32, Leaf<'_>)]| match pair {
        [(number, _), (next, between)] => *next == number + 1 && *between == first.1,
        // The last one here: whatever is not below it is it.
        _ => true,
    };
    if pairs.len() > ROW_MAX || !pairs.iter().all(is_single) {
        return None;
    }
    let mut ends = vec![first.1];
    let mut row = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        let (number, leaf) = pair[0];
        let known = ends.iter().position(|one| *one == leaf);
        let end = known.unwrap_or(ends.len());
        ends.extend(known.is_none().then_some(leaf));
        let compare = if pair.len() == 1 { AT_LEAST } else { EQUAL };
        row.push(jump(compare, number, ((pairs.len() - 1 - index + end) as u8, 0)));
    }
    row.extend(ends.iter().map(|leaf| end(leaf, asked)));
    Some(row)
}

fn end(leaf: &Leaf<'_>, asked: &[&[Clause]]) -> Instruction {
    match leaf {
        Leaf::Always(always) => answer(*always),
        Leaf::Asks(clauses) => {
            let list = asked.iter().position(|one| one == clauses).expect("every list was gathered");
            Instruction { no: TO_CLAUSES, ..plain(JUMP, list as u32) }
        }
    }
}

/// Appends a list of clauses; says where it stands.
fn place(program: &mut Vec<Instruction>, clauses: &[Clause], otherwise: Answer) -> usize {
    let at = program.len();
    for clause in clauses {
        program.extend(clause_code(clause));
    }
    program.push(answer(otherwise));
    at
}

fn clause_code(clause: &Clause) -> Vec<Instruction> {
    let tests: Vec<Vec<Piece>> = clause.tests.iter().map(pieces).collect();
    let mut left: usize = tests.iter().map(Vec::len).sum();
    let mut code = Vec::with_capacity(left + 1);
    for test in tests {
        for (index, (operation, operand, yes, no)) in test.iter().enumerate() {
            left -= 1;
            // Behind the clause is behind its answer too.
            let over = |go: &Go| match go {
                Go::Next => 0,
                Go::Holds => (test.len() - index - 1) as u8,
                Go::Fails => (left + 1) as u8,
            };
            code.push(Instruction { code: *operation, yes: over(yes), no: over(no), operand: *operand });
        }
    }
    code.push(answer(clause.answer));
    code
}

fn pieces(test: &Test) -> Vec<Piece> {
    let low = (LOAD, half(test.argument, 0), Go::Next, Go::Next);
    let high = (LOAD, half(test.argument, 1), Go::Next, Go::Next);
    match test.compare {
        Compare::AnyBit(bits) => vec![low, (ANY_BIT, bits, Go::Next, Go::Fails)],
        Compare::Low(relation, value) => vec![low, last(relation, value)],
        Compare::Whole(relation, value) => {
            let mut code = vec![high];
            code.extend(first(relation, (value >> 32) as u32));
            code.extend([low, last(relation, value as u32)]);
            code
        }
        Compare::Masked { mask, value } => {
            let half = |load, shift: u32| {
                let (mask, value) = ((mask >> shift) as u32, (value >> shift) as u32);
                [load, (MASK, mask, Go::Next, Go::Next), (EQUAL, value, Go::Next, Go::Fails)]
            };
            [half(high, 32), half(low, 0)].concat()
        }
    }
}

/// What the high half decides by itself.
fn first(relation: Relation, value: u32) -> Vec<Piece> {
    match relation {
        Relation::Equal => vec![(EQUAL, value, Go::Next, Go::Fails)],
        Relation::NotEqual => vec![(EQUAL, value, Go::Next, Go::Holds)],
        Relation::Greater | Relation::AtLeast => {
            vec![(ABOVE, value, Go::Holds, Go::Next), (EQUAL, value, Go::Next, Go::Fails)]
        }
        Relation::Less | Relation::AtMost => {
            vec![(ABOVE, value, Go::Fails, Go::Next), (EQUAL, value, Go::Next, Go::Holds)]
        }
    }
}

fn last(relation: Relation, value: u32) -> Piece {
    match relation {
        Relation::Equal => (EQUAL, value, Go::Next, Go::Fails),
        Relation::NotEqual => (EQUAL, value, Go::Fails, Go::Next),
        Relation::Greater => (ABOVE, value, Go::Next, Go::Fails),
        Relation::AtLeast => (AT_LEAST, value, Go::Next, Go::Fails),
        Relation::Less => (AT_LEAST, value, Go::Fails, Go::Next),
        Relation::AtMost => (ABOVE, value, Go::Fails, Go::Next),
    }
}

/// Where a half of an argument stands: 0 the low one, 1 the high one.
fn half(argument: u8, which: u32) -> u32 {
    let swapped = u32::from(cfg!(target_endian = "big"));
    ARGUMENTS + 8 * u32::from(argument) + 4 * (which ^ swapped)
}

fn plain(code: u16, operand: u32) -> Instruction {
    Instruction { code, yes: 0, no: 0, operand }
}

fn jump(code: u16, operand: u32, (yes, no): (u8, u8)) -> Instruction {
    Instruction { code, yes, no, operand }
}

fn answer(Answer(operand): Answer) -> Instruction {
    plain(ANSWER, operand)
}
