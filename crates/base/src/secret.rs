//! A value that must not be printed and is wiped when dropped.

use zeroize::Zeroize;

/// Holds a secret: no `Debug`, no `Display`, no `Serialize`, wiped on drop. Reading it is spelled out by [`Secret::expose`].
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value into custody of this type.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
    /// The secret itself; keep the borrow short and never format it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}
