//! The bearer token that opens the API beyond loopback.

use std::{fmt, hint::black_box};

/// The fewest characters of a token: 16 random ones can't be guessed over a network.
const TOKEN_MIN: usize = 16;

/// The most characters of a token.
const TOKEN_MAX: usize = 1_024;

/// A secret that isn't shown by `Debug` and is compared in constant time.
#[derive(Clone)]
pub struct Token {
    // INVARIANT: not empty.
    secret: Box<[u8]>,
}

impl Token {
    /// A token of 16 to 1,024 visible ASCII characters.
    ///
    /// # Errors
    /// When it is shorter, longer, or has other characters; the message doesn't repeat it.
    pub fn new(secret: &str) -> Result<Self, TokenError> {
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character);
        }
        if secret.len() < TOKEN_MIN || secret.len() > TOKEN_MAX {
            return Err(TokenError::Length { given: secret.len() });
        }
        Ok(Self { secret: secret.as_bytes().into() })
    }

    /// Whether `given` is the secret. The time it takes depends on the length of `given` alone.
    pub(super) fn opens_for(&self, given: &[u8]) -> bool {
        let mut differs = u8::from(given.len() != self.secret.len());
        for (given, secret) in given.iter().zip(self.secret.iter().cycle()) {
            differs |= black_box(given ^ secret);
        }
        differs == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too short to be safe, or absurdly long.
    #[error("the API's token has {given} characters; it takes {TOKEN_MIN} to {TOKEN_MAX}")]
    Length {
        /// The number of its characters.
        given: usize,
    },
    /// Something that can't stand in an HTTP header.
    #[error("the API's token has a character that is not visible ASCII (a blank or line end at its end, perhaps)")]
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_opens() {
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(token.opens_for(b"0123456789abcdef"));
        for other in ["", "0", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0123456789abcdef"] {
            assert!(!token.opens_for(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_secret_is_never_shown_and_a_weak_one_is_refused() {
        assert_eq!(format!("{:?}", Token::new("0123456789abcdef").unwrap()), "Token(..)");
        assert_eq!(Token::new("short").unwrap_err(), TokenError::Length { given: 5 });
        assert_eq!(Token::new("0123456789abcdef\n").unwrap_err(), TokenError::Character);
        assert!(!Token::new("hunter2").unwrap_err().to_string().contains("hunter2"));
    }
}
