//! Which classes of devices share a delivered cursor.
//!
//! By default each class has its own: what a telephone has confirmed still waits for the laptop. Of a set of classes that
//! shares one, what one device has confirmed none of the set is given again, as with the reference engine.

use crate::id::DeviceClass;

/// How many classes there are: `termtyp` is one byte.
const CLASSES: usize = 256;

/// The class under which each class keeps its cursor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CursorSets([i8; CLASSES]);

impl std::fmt::Debug for CursorSets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let moved = (i8::MIN..=i8::MAX).filter(|class| self.of(DeviceClass(*class)).0 != *class);
        formatter.debug_list().entries(moved).finish()
    }
}

impl Default for CursorSets {
    /// Each class has its own.
    fn default() -> Self {
        Self(std::array::from_fn(|place| place as u8 as i8))
    }
}

fn place(class: DeviceClass) -> usize {
    usize::from(class.0 as u8)
}

impl CursorSets {
    /// All devices of an account share one.
    #[must_use]
    pub fn one_for_all() -> Self {
        Self([0; CLASSES])
    }

    /// The classes of each set share one, kept under the smallest class of the set; all others have their own.
    #[must_use]
    pub fn shared(sets: &[Vec<i8>]) -> Self {
        let mut shared = Self::default();
        for set in sets {
            let Some(smallest) = set.iter().min() else {
                continue;
            };
            for class in set {
                shared.0[place(DeviceClass(*class))] = *smallest;
            }
        }
        shared
    }

    /// The class under which the cursor of a class is kept.
    #[must_use]
    pub fn of(&self, class: DeviceClass) -> DeviceClass {
        DeviceClass(self.0[place(class)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_one_cursor_and_others_their_own() {
        let sets = CursorSets::shared(&[vec![5, 2, -7], vec![1, 3]]);
        for (class, kept) in [
            (5, -7),
            (2, -7),
            (-7, -7),
            (1, 1),
            (3, 1),
            (4, 4),
            (-128, -128),
            (127, 127),
        ] {
            assert_eq!(sets.of(DeviceClass(class)), DeviceClass(kept), "{class}");
        }
        assert_eq!(CursorSets::default().of(DeviceClass(-3)), DeviceClass(-3));
        assert_eq!(CursorSets::one_for_all().of(DeviceClass(9)), DeviceClass(0));
        assert_eq!(CursorSets::shared(&[]), CursorSets::default());
    }
}
