//! Pure. `%(a + 1)`: words in parentheses, calculated from left to right.

/// Value of words separated by spaces; `look_up` knows the options.
///
/// A word is a number, an option (one that nobody knows is empty), one of `+ - * /` between two numbers, or `++`
/// or `--` behind one. Two values side by side are joined. Numbers have 64 bits and wrap around; what is no number
/// counts as the digits that it begins with, else 0; divided by 0, everything is 0.
pub fn calculate(words: &str, mut look_up: impl FnMut(&str) -> Option<String>) -> String {
    let mut value = String::new();
    let mut sign = None;
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        match word {
            "+" | "-" | "*" | "/" => sign = Some(word),
            "++" => value = number(&value).wrapping_add(1).to_string(),
            "--" => value = number(&value).wrapping_sub(1).to_string(),
            _ => {
                let operand =
                    if is_number(word) { word.to_owned() } else { look_up(word).unwrap_or_default() };
                value = match sign.take() {
                    Some(sign) => apply(sign, number(&value), number(&operand)).to_string(),
                    None => value + &operand,
                };
            }
        }
    }
    value
}

/// True when the text in parentheses is to be calculated rather than looked up.
pub fn is_calculation(inner: &str) -> bool {
    inner.contains(' ')
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

fn apply(sign: &str, left: i64, right: i64) -> i64 {
    match sign {
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        _ if right == 0 => 0,
        _ => left.wrapping_div(right),
    }
}

/// As `strtoll(3)` reads it: leading digits, the nearest bound when there are too many.
fn number(text: &str) -> i64 {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit).map(|byte| i64::from(byte - b'0'));
    digits.fold(0, |sum: i64, digit| {
        let digit = if negative { -digit } else { digit };
        sum.saturating_mul(10).saturating_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(words: &str) -> String {
        calculate(words, |name| match name {
            "five" => Some("5".to_owned()),
            "text" => Some("text".to_owned()),
            "apples" => Some("7 apples".to_owned()),
            "least" => Some(i64::MIN.to_string()),
            _ => None,
        })
    }

    #[test]
    fn words_are_calculated_from_left_to_right() {
        let table = [
            ("five + 1 * 2", "12"),
            ("five - 7", "-2"),
            ("five / 2", "2"),
            ("five / 0", "0"),
            ("five ++ ++", "7"),
            ("five --", "4"),
            ("text five", "text5"),
            ("1 2", "12"),
            ("none + 1", "1"),
            ("text + 1", "1"),
            ("apples + 1", "8"),
            ("- 5", "-5"),
            ("five +", "5"),
            ("five + + 1", "6"),
            ("-5 + 3", "3"),
            (" five ", "5"),
            ("9223372036854775807 + 1", "-9223372036854775808"),
            ("99999999999999999999 + 0", "9223372036854775807"),
            ("least / -1", "0"),
            ("least - 1", "9223372036854775807"),
            ("0 - 1", "-1"),
        ];
        for (words, wanted) in table {
            assert_eq!(of(words), wanted, "{words}");
        }
    }

    proptest! {
        #[test]
        fn no_calculation_panics(words in "((least|five|text|[0-9]{1,25}|-1|[-+*/]|\\+\\+|--|\\PC)( |  )?){0,20}") {
            let value = of(&words);
            prop_assert!(value.len() <= words.len() * 20 + 40);
        }
    }
}
