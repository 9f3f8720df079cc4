//! The arguments of a call, read field by field. Models write numbers and truths as texts; what is meant is taken,
//! and what cannot be is told in words that a model can act on.

use serde_json::Value;

/// The arguments of one call.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(&'a Value);

impl<'a> Arguments<'a> {
    pub fn of(arguments: &'a Value) -> Self {
        Self(arguments)
    }

    /// Refuses fields that mean nothing: what a model thinks that they do would not be done.
    pub fn only(self, known: &[&str]) -> Result<(), String> {
        let Some(fields) = self.0.as_object() else {
            return Err(format!("the arguments must be an object with {}", known.join(", ")));
        };
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(60).collect();
                Err(format!("there is no argument \"{name}\"; those that there are: {}", known.join(", ")))
            }
        }
    }

    fn field(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn text(self, name: &str) -> Result<Option<String>, String> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("\"{name}\" must be a string")),
        }
    }

    /// A whole number from zero up. A fraction is rounded up.
    pub fn number(self, name: &str) -> Result<Option<u64>, String> {
        let wrong = || format!("\"{name}\" must be a whole number from zero up");
        let number = match self.field(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
            Some(_) => None,
        };
        let number = number.filter(|number| (0.0..=1e15).contains(number)).ok_or_else(wrong)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was just checked"
        )]
        Ok(Some(number.ceil() as u64))
    }

    pub fn flag(self, name: &str) -> Result<Option<bool>, String> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(format!("\"{name}\" must be true or false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_meant_is_taken() {
        let value = json!({ "text": "x", "n": 3, "float": 1.5, "written": " 7 ", "yes": "True", "no": false, "null": null });
        let arguments = Arguments::of(&value);
        assert_eq!(arguments.text("text"), Ok(Some("x".to_owned())));
        assert_eq!(arguments.number("n"), Ok(Some(3)));
        assert_eq!(arguments.number("float"), Ok(Some(2)));
        assert_eq!(arguments.number("written"), Ok(Some(7)));
        assert_eq!((arguments.flag("yes"), arguments.flag("no")), (Ok(Some(true)), Ok(Some(false))));
        assert_eq!((arguments.text("null"), arguments.number("none")), (Ok(None), Ok(None)));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let value = json!({ "text": 1, "n": -1, "big": 1e300, "word": "many", "flag": 1 });
        let arguments = Arguments::of(&value);
        assert_eq!(arguments.text("text").unwrap_err(), "\"text\" must be a string");
        for name in ["n", "big", "word", "flag"] {
            if name != "flag" {
                assert!(arguments.number(name).unwrap_err().contains("whole number"), "{name}");
            }
        }
        assert_eq!(arguments.flag("flag").unwrap_err(), "\"flag\" must be true or false");
        let told = arguments.only(&["text", "n"]).unwrap_err();
        assert!(told.starts_with("there is no argument \"") && told.ends_with("text, n"), "{told}");
        assert!(Arguments::of(&json!([1])).only(&["a"]).is_err());
    }
}
