//! What an edit takes over from what is in force: every field that this version does not know, at every level. Both are walked together,
//! part by part; a part that the edit has not goes with all that is in it.

use std::collections::BTreeMap;

/// A part of something that is edited.
pub(crate) trait Keep {
    /// Takes over what this version does not know, here and in every part that both have.
    fn keep(&mut self, old: &Self);

    /// Whether it is the same part as another of its list. Where a list has one part at the most, any is.
    fn is(&self, _other: &Self) -> bool {
        true
    }
}

impl<T: Keep> Keep for Option<T> {
    fn keep(&mut self, old: &Self) {
        if let (Some(new), Some(old)) = (self, old) {
            new.keep(old);
        }
    }
}

impl<T: Keep> Keep for Vec<T> {
    fn keep(&mut self, old: &Self) {
        for new in self {
            if let Some(old) = old.iter().find(|old| new.is(old)) {
                new.keep(old);
            }
        }
    }
}

/// Of a map an entry is like a field: one that the edit does not name stays.
impl<T: Keep + Clone> Keep for BTreeMap<String, T> {
    fn keep(&mut self, old: &Self) {
        for (key, old) in old {
            let same = |(name, _): &(&String, &mut T)| name.eq_ignore_ascii_case(key);
            match self.iter_mut().find(same) {
                Some((_, new)) => new.keep(old),
                None => {
                    self.insert(key.clone(), old.clone());
                }
            }
        }
    }
}

/// Shapes of the wire, each with those of its fields that have parts of their own; `is` says what tells the parts of a list apart.
macro_rules! keeps {
    ($( $name:ident { $($part:ident),* } $(is $same:expr)? ; )*) => {$(
        impl $crate::keep::Keep for $name {
            fn keep(&mut self, old: &Self) {
                for (field, value) in &old.extra {
                    self.extra.entry(field).or_insert_with(|| value.clone());
                }
                $( self.$part.keep(&old.$part); )*
            }

            $(
                fn is(&self, other: &Self) -> bool {
                    let same: fn(&Self, &Self) -> bool = $same;
                    same(self, other)
                }
            )?
        }
    )*};
}

/// Families of such shapes. One of another kind has nothing to take over.
macro_rules! keeps_kinds {
    ($( $name:ident { $($kind:ident),* } )*) => {$(
        impl $crate::keep::Keep for $name {
            fn keep(&mut self, old: &Self) {
                match (self, old) {
                    $( (Self::$kind(new), Self::$kind(old)) => new.keep(old), )*
                    _ => {}
                }
            }

            fn is(&self, other: &Self) -> bool {
                match (self, other) {
                    $( (Self::$kind(new), Self::$kind(old)) => new.is(old), )*
                    _ => false,
                }
            }
        }
    )*};
}
