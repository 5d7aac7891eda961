/** Python literals, as far as dtypes are written with them. */
export type Literal = string | number | boolean | null | Tuple | Literal[] | Map<string, Literal>;

/** A tuple, which a dtype tells from a list. */
export class Tuple {
  constructor(readonly items: Literal[]) {}
}

export function parseLiteral(text: string): Literal {
  const parser = new Parser(text);
  const value = parser.value();
  parser.end();
  return value;
}

class Parser {
  private at = 0;

  constructor(private readonly text: string) {}

  value(): Literal {
    const c = this.peek();
    if (c === "[") return this.items("[", "]").items;
    if (c === "(") {
      const { items, comma } = this.items("(", ")");
      return items.length === 1 && !comma ? items[0]! : new Tuple(items);
    }
    if (c === "{") return this.map();
    if (c === "'" || c === '"') return this.string();
    const word = /^(-?\d+|True|False|None)/.exec(this.text.slice(this.at))?.[0];
    if (!word) throw this.wrong();
    this.at += word.length;
    if (word === "None") return null;
    return word === "True" ? true : word === "False" ? false : Number(word);
  }

  end() {
    if (this.peek() !== "") throw this.wrong();
  }

  private items(open: string, close: string): { items: Literal[]; comma: boolean } {
    this.take(open);
    const items: Literal[] = [];
    let comma = false;
    while (this.peek() !== close) {
      items.push(this.value());
      comma = this.peek() === ",";
      if (!comma) break;
      this.take(",");
    }
    this.take(close);
    return { items, comma };
  }

  private map(): Map<string, Literal> {
    this.take("{");
    const map = new Map<string, Literal>();
    while (this.peek() !== "}") {
      this.peek();
      const key = this.string();
      this.take(":");
      map.set(key, this.value());
      if (this.peek() !== ",") break;
      this.take(",");
    }
    this.take("}");
    return map;
  }

  private string(): string {
    const quote = this.text[this.at];
    if (quote !== "'" && quote !== '"') throw this.wrong();
    this.at++;
    let out = "";
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) throw this.wrong();
      this.at++;
      if (c === quote) return out;
      out += c === "\\" ? this.escape() : c;
    }
  }

  private escape(): string {
    const c = this.text[this.at++] ?? "";
    const digits = { x: 2, u: 4, U: 8 }[c];
    if (digits) {
      const hex = this.text.slice(this.at, this.at + digits);
      if (!/^[0-9a-fA-F]+$/.test(hex) || hex.length < digits) throw this.wrong();
      this.at += digits;
      return String.fromCodePoint(Number.parseInt(hex, 16));
    }
    return { n: "\n", r: "\r", t: "\t" }[c] ?? c;
  }

  private take(c: string) {
    if (this.peek() !== c) throw this.wrong();
    this.at++;
  }

  /** The next character that is no space, or "". */
  private peek(): string {
    while (this.text[this.at] === " ") this.at++;
    return this.text[this.at] ?? "";
  }

  private wrong(): Error {
    return new Error(`no literal of Python: ${this.text} (at ${this.at})`);
  }
}
