//! Windows of one's own by name: what a program that embeds the machine adds to the built-in ones.

use super::WindowAssigner;
use crate::model::Value;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Makes an assigner of the constants that a rule gives it, or says in words what is wrong with them.
type Make = Arc<dyn Fn(&[Value]) -> Result<Arc<dyn WindowAssigner>, String> + Send + Sync>;

/// Assigners by the name that rules call them: `WINDOW shifts(8 h)`.
///
/// # Examples
///
/// ```
/// use geocep::{model::Value, op::window::{Assigners, Tumbling, WindowAssigner}};
/// use std::sync::Arc;
///
/// let assigners = Assigners::default().with("shifts", |args| match args {
///     [Value::Duration(size_ms)] => {
///         let shifts = Tumbling::new(*size_ms).ok_or("a shift lasts more than 0")?;
///         Ok(Arc::new(shifts) as Arc<dyn WindowAssigner>)
///     }
///     _ => Err("`shifts` takes a duration".to_owned()),
/// });
/// assert!(assigners.make("shifts", &[Value::Duration(28_800_000)]).is_ok());
/// assert!(assigners.make("tides", &[]).is_err());
/// ```
#[derive(Clone, Default)]
pub struct Assigners(BTreeMap<String, Make>);

impl Assigners {
    /// The same with one more; of two of one name the later one counts. `make` must be pure: it is called once for each rule
    /// and run, and the assigners of two calls with the same constants must be alike.
    #[must_use]
    pub fn with(
        mut self,
        name: &str,
        make: impl Fn(&[Value]) -> Result<Arc<dyn WindowAssigner>, String> + Send + Sync + 'static,
    ) -> Self {
        self.0.insert(name.to_owned(), Arc::new(make));
        self
    }

    /// Their names, for the catalog that rules are checked with.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The assigner of this name for these constants.
    ///
    /// # Errors
    /// A name that nobody added, or constants that it doesn't take, in words.
    pub fn make(&self, name: &str, args: &[Value]) -> Result<Arc<dyn WindowAssigner>, String> {
        let make = self.0.get(name).ok_or_else(|| format!("there are no windows `{name}`"))?;
        make(args)
    }
}

impl fmt::Debug for Assigners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
