//! Files with a few boxes changed: everything else stays right, sizes included, so that a reader
//! gets as far as the change.

use arbitrary::Unstructured;

/// Boxes that hold nothing but boxes.
const CONTAINERS: [&[u8; 4]; 13] = [
    b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf",
    b"mfra", b"sinf", b"schi",
];
/// Types that a box may be given.
const TYPES: [&[u8; 4]; 24] = [
    b"moov", b"trak", b"mdia", b"stbl", b"stsd", b"moof", b"traf", b"tfhd", b"trun", b"senc",
    b"saiz", b"saio", b"sgpd", b"sbgp", b"csgp", b"sinf", b"tenc", b"schm", b"frma", b"encv",
    b"pssh", b"free", b"mdat", b"uuid",
];
/// Values at which counts, sizes and offsets change their meaning.
const EDGES: [u64; 10] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0xffff,
    0x1_0001,
    0x7fff_ffff,
    0xffff_ffff,
    u64::MAX,
];

/// A box with what it holds.
#[derive(Clone, Debug)]
struct Node {
    kind: [u8; 4],
    /// Fields before the boxes in it, or all of its payload.
    fields: Vec<u8>,
    children: Vec<Node>,
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// How many bytes of fields a box has before the boxes in it; `None`: it holds none.
fn fields_before(kind: [u8; 4], parent: &[u8; 4]) -> Option<usize> {
    match (&kind, parent) {
        (_, b"stsd") if matches!(&kind, b"enca" | b"mp4a") => Some(28),
        (_, b"stsd") => Some(78),
        (b"stsd", _) => Some(8),
        _ => CONTAINERS.contains(&&kind).then_some(0),
    }
}

/// Takes well-formed boxes with short headers apart; what is none stays with the fields.
fn parse(mut bytes: &[u8], parent: &[u8; 4]) -> Vec<Node> {
    let mut nodes = Vec::new();
    while bytes.len() >= 8 {
        let size = number(&bytes[..4]).clamp(8, bytes.len());
        let (found, rest) = bytes.split_at(size);
        bytes = rest;
        let kind = [found[4], found[5], found[6], found[7]];
        let payload = &found[8..];
        let before = fields_before(kind, parent).filter(|before| *before <= payload.len());
        let (fields, inside) = payload.split_at(before.unwrap_or(payload.len()));
        nodes.push(Node {
            kind,
            fields: fields.to_vec(),
            children: parse(inside, &kind),
        });
    }
    nodes
}

impl Node {
    fn len(&self) -> usize {
        8 + self.fields.len() + self.children.iter().map(Self::len).sum::<usize>()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(u32::try_from(self.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(self.kind);
        out.extend(&self.fields);
        self.children.iter().for_each(|child| child.write(out));
    }

    /// Moves the media data that this fragment's runs point at (`trun`, ISO/IEC 14496-12 section
    /// 8.8.8) by as much as the fragment has grown.
    fn move_runs(&mut self, grown: i64) {
        if &self.kind == b"trun" && self.fields.len() >= 12 && self.fields[3] & 1 == 1 {
            let offset = i64::try_from(number(&self.fields[8..12])).unwrap_or(0) + grown;
            let low = offset.to_be_bytes();
            self.fields[8..12].copy_from_slice(&low[4..]);
        }
        self.children
            .iter_mut()
            .for_each(|child| child.move_runs(grown));
    }
}

/// The list that a box is in and its place there, counting all boxes from front to back.
fn find(nodes: &mut Vec<Node>, mut place: usize) -> Result<(&mut Vec<Node>, usize), usize> {
    for at in 0..nodes.len() {
        if place == 0 {
            return Ok((nodes, at));
        }
        place -= 1;
        // Asked twice, because a list cannot be given away and looked at again.
        let inside = count(&nodes[at].children);
        if place < inside {
            return find(&mut nodes[at].children, place);
        }
        place -= inside;
    }
    Err(place)
}

fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + count(&node.children)).sum()
}

/// `base` with the edits that the bytes say, of six bytes each.
pub(super) fn edited(base: &[u8], u: &mut Unstructured<'_>) -> Vec<u8> {
    let mut nodes = parse(base, b"file");
    let before: Vec<usize> = moofs(&nodes);
    for _ in 0..8 {
        if u.is_empty() {
            break;
        }
        edit(&mut nodes, u);
    }
    let mut lengths = before.into_iter();
    for node in nodes.iter_mut().filter(|node| &node.kind == b"moof") {
        let length = node.len();
        let was = lengths.next().unwrap_or(length);
        node.move_runs(length as i64 - was as i64);
    }
    let mut out = Vec::new();
    nodes.iter().for_each(|node| node.write(&mut out));
    out
}

fn moofs(nodes: &[Node]) -> Vec<usize> {
    let moofs = nodes.iter().filter(|node| &node.kind == b"moof");
    moofs.map(Node::len).collect()
}

fn edit(nodes: &mut Vec<Node>, u: &mut Unstructured<'_>) {
    let mut byte = || u.arbitrary::<u8>().unwrap_or(0);
    let place = usize::from(byte()) % count(nodes).max(1);
    let (what, at, value) = (
        byte(),
        usize::from(byte()) << 8 | usize::from(byte()),
        [byte(), byte()],
    );
    let Ok((list, at_list)) = find(nodes, place) else {
        return;
    };
    let node = &mut list[at_list];
    let at = at % node.fields.len().max(1);
    match what % 10 {
        0 => drop(list.remove(at_list)),
        1 => {
            let again = node.clone();
            list.insert(at_list, again);
        }
        2 => {
            let other = usize::from(value[0]) % list.len();
            list.swap(at_list, other);
        }
        3 => node.kind = *TYPES[usize::from(value[0]) % TYPES.len()],
        4 => node.fields.truncate(at),
        5 => node
            .fields
            .splice(at..at, [value[1]; 4].repeat(usize::from(value[0] % 8)))
            .for_each(drop),
        6 => {
            let inside = Node {
                kind: *TYPES[usize::from(value[0]) % TYPES.len()],
                fields: vec![value[1]; at % 64],
                children: Vec::new(),
            };
            node.children.push(inside);
        }
        7 => {
            let width = 1 << (value[0] % 4);
            let edge = EDGES[usize::from(value[1]) % EDGES.len()].to_be_bytes();
            for (to, from) in node.fields[at..].iter_mut().zip(&edge[8 - width..]) {
                *to = *from;
            }
        }
        _ => {
            for (to, from) in node.fields[at..].iter_mut().zip(value) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_edit_changes_nothing() {
        for base in super::super::BASES {
            assert_eq!(edited(base, &mut Unstructured::new(&[])), base);
        }
    }

    #[test]
    fn an_edit_keeps_the_sizes_right() {
        let base = super::super::BASES[0];
        // The box behind `moov` is taken out of the tree, one inside is given four bytes more.
        let removed = edited(base, &mut Unstructured::new(&[0, 0, 0, 0, 0, 0]));
        assert_eq!(removed, base[number(&base[..4])..]);
        let longer = edited(base, &mut Unstructured::new(&[2, 5, 0, 0, 1, 7]));
        assert_eq!(longer.len(), base.len() + 4);
        assert_eq!(number(&longer[..4]), number(&base[..4]));
    }
}
