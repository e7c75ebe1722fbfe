/** All pages of a listing, one after the other. */
export async function* pages<P extends { readonly nextPageToken: string }>(
  ask: (pageToken: string) => Promise<P>,
): AsyncGenerator<P> {
  for (let pageToken = ""; ; ) {
    const page = await ask(pageToken);
    yield page;
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
  }
}
