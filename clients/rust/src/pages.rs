use std::future::Future;
use std::vec::IntoIter;

use futures_util::stream::try_unfold;

use crate::{BoxStream, Result};

/// The entries of all pages of a listing, one page after the other. `ask` gives a page and the token of the next one.
pub(crate) fn pages<T, F, R>(ask: F) -> BoxStream<T>
where
    T: Send + 'static,
    F: Fn(String) -> R + Send + 'static,
    R: Future<Output = Result<(Vec<T>, String)>> + Send,
{
    let begin: (IntoIter<T>, Option<String>) = (Vec::new().into_iter(), Some(String::new()));
    Box::pin(try_unfold((begin, ask), |((mut entries, mut token), ask)| async move {
        loop {
            if let Some(entry) = entries.next() {
                return Ok(Some((entry, ((entries, token), ask))));
            }
            let Some(asked) = token else { return Ok(None) };
            let (page, next) = ask(asked).await?;
            entries = page.into_iter();
            token = Some(next).filter(|next| !next.is_empty());
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    #[tokio::test]
    async fn all_pages_are_asked_for_also_empty_ones() {
        let ask = |token: String| async move {
            Ok(match token.as_str() {
                "" => (vec![1, 2], "a".to_string()),
                "a" => (vec![], "b".to_string()),
                _ => (vec![3], String::new()),
            })
        };
        let entries: Vec<i32> = pages(ask).try_collect().await.unwrap();
        assert_eq!(entries, [1, 2, 3]);
    }
}
