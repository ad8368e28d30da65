import {newID} from './post.js';

/** A push that is on its way. Its body and id stay the same until it is answered. */
export interface Batch {
  id: string;
  body: string;
  /** Series in it. */
  entries: number;
  /** When it was made, on the clock of Date.now. */
  made: number;
}

/** How many characters all bodies may have that wait. */
const mostQueued = 32 << 20;

/** Batches that wait for an answer, the oldest first, at most so many. */
export class Queue {
  /** The one that is being sent: it is not dropped for want of room. */
  sending: Batch | undefined;
  private readonly batches: Batch[] = [];

  constructor(
    private readonly room: number,
    private readonly maxAge: number,
  ) {}

  /** Adds a batch with a new id; returns those that had to go for it. */
  push(body: string, entries: number): Batch[] {
    this.batches.push({id: newID(), body, entries, made: Date.now()});
    const dropped: Batch[] = [];
    while (this.batches.length > this.room || (this.batches.length > 1 && this.length > mostQueued)) {
      const oldest = this.batches.findIndex((b) => b !== this.sending);
      dropped.push(...this.batches.splice(oldest, 1));
    }
    return dropped;
  }

  /**
   * Takes out what is too old: narthex forgets ids after a while, and whether a batch had been counted
   * could not be told any more.
   */
  expire(): Batch[] {
    const oldest = Date.now() - this.maxAge;
    const old = this.batches.filter((b) => b.made < oldest && b !== this.sending);
    for (const b of old) this.remove(b);
    return old;
  }

  first(): Batch | undefined {
    return this.batches[0];
  }

  remove(b: Batch): void {
    const i = this.batches.indexOf(b);
    if (i >= 0) this.batches.splice(i, 1);
  }

  private get length(): number {
    return this.batches.reduce((n, b) => n + b.body.length, 0);
  }

  /** How many entries wait. */
  get entries(): number {
    return this.batches.reduce((n, b) => n + b.entries, 0);
  }
}
