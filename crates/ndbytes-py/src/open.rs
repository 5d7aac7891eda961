//! What is open until it is closed.

use std::sync::{Arc, PoisonError, RwLock};

use ndbytes::{Code, Error};
use pyo3::prelude::*;

use crate::error::to_py;

/// A reader that threads share, until one of them closes it.
pub(crate) struct Open<R> {
    reader: RwLock<Option<Arc<R>>>,
    /// What it is called, once it is closed.
    what: &'static str,
}

impl<R> Open<R> {
    pub(crate) fn new(reader: R, what: &'static str) -> Self {
        Self { reader: RwLock::new(Some(reader.into())), what }
    }

    /// The reader; an error once it is closed.
    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<Arc<R>> {
        let reader = self.reader.read().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || Error::new(Code::Argument, format!("the {} is closed", self.what));
        reader.ok_or_else(|| to_py(py, closed()))
    }

    /// Lets it go, when those who use it have done with it.
    pub(crate) fn close(&self) {
        let closed = self.reader.write().unwrap_or_else(PoisonError::into_inner).take();
        // Only now that the lock is free: dropping a Python object may run Python code.
        drop(closed);
    }
}
