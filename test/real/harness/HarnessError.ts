import { Data } from "effect"

/** A part of the stand did not do its duty: a process did not start or ended too early, a judge refused an order. */
export class HarnessError extends Data.TaggedError("HarnessError")<{
  readonly message: string
  /** There was no answer. After a cut connection what only reads may be asked again; otherwise nobody is there, or it took too long. */
  readonly unanswered?: "cut" | "otherwise"
}> {}
