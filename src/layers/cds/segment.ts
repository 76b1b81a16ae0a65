/**
 * A part of a path. `.` and `..` would lead to another call of the API, encoded or not; they are sent so that CDS reads a name that nobody
 * has. Ids come from annotations, too, which others can write.
 */
export const segment = (text: string): string =>
  /^\.{0,2}$/.test(text) ? `%25${text}` : encodeURIComponent(text.toWellFormed())
