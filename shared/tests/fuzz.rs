//! The fuzz targets on their corpora and on changes of these, the same in every run. `make fuzz TARGET=…` goes on from there, with libFuzzer.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "../fuzz/targets.rs"]
#[expect(unreachable_pub, reason = "there it is a library, which libFuzzer's programs call")]
mod targets;

use std::{collections::BTreeSet, fs, path::Path};

/// How often the texts of one corpus are changed, all in all.
const CHANGES: u64 = 10_000;

/// Numbers that follow from a seed (xorshift64*).
struct Numbers(u64);

impl Numbers {
    /// The next number below `bound`, 0 where there is none.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        usize::try_from(number).unwrap_or_default() % bound.max(1)
    }
}

/// Changes `text` here and there: other bytes, fewer, more, some of it twice.
fn change(text: &mut Vec<u8>, numbers: &mut Numbers) {
    const TELLING: &[u8] = b"\0\t\n\r \"%&'+,-./0:;<=[\\]_{}~\x7f\x80\xc3\xff";
    for _ in 0..=numbers.below(4) {
        let start = numbers.below(text.len());
        let end = text.len().min(start + numbers.below(16));
        match numbers.below(5) {
            0 => text.truncate(start),
            1 => drop(text.drain(start..end)),
            2 => {
                let again = text[start..end].to_vec();
                text.splice(start..start, again);
            }
            3 => text.insert(start, TELLING[numbers.below(TELLING.len())]),
            _ => {
                if let Some(byte) = text.get_mut(start) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
        }
    }
}

#[test]
fn no_target_minds_its_corpus_or_what_resembles_it() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let entries = fs::read_dir(corpora.join(name)).expect("each target has a corpus");
        let paths: BTreeSet<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        assert!(!paths.is_empty(), "{name}");
        let rounds = CHANGES / u64::try_from(paths.len()).expect("a few");
        for (path, seed) in paths.iter().zip(1..) {
            let text = fs::read(path).expect("a file");
            target(&text);
            for round in 0..rounds {
                let mut changed = text.clone();
                change(&mut changed, &mut Numbers(seed * CHANGES + round));
                target(&changed);
            }
        }
    }
}
