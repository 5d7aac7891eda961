import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const out = process.env.NDBYTES_PAGE_OUT ?? "../crates/ndbytes-net/src/serve/page";
const server = process.env.NDBYTES_SERVER ?? "http://127.0.0.1:8080";

/** The licences of what is bundled ask that their text goes with it. */
function licences(): Plugin {
  return {
    name: "licences",
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        const names = new Set<string>();
        for (const [id, module] of Object.entries(chunk.modules)) {
          const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
          if (name && module.renderedLength > 0) names.add(name);
        }
        const texts = [...names].sort().map(name => `${name}\n\n${licence(name)}`);
        if (texts.length) chunk.code = `/*!\n${texts.join("\n\n---\n\n")}\n*/\n${chunk.code}`;
      }
    },
  };
}

function licence(name: string): string {
  const folder = join(import.meta.dirname, "node_modules", name);
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"]
    .map(each => join(folder, each))
    .find(existsSync);
  if (!file) throw new Error(`${name} has no licence text to bundle`);
  return readFileSync(file, "utf8").replaceAll("*/", "* /").trim();
}

export default defineConfig(({ command }) => ({
  // While it is worked on, Vite answers for all URLs but those of the data.
  base: command === "build" ? "/page/" : "/",
  plugins: [licences()],
  build: {
    outDir: out,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    sourcemap: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: "app.js",
        assetFileNames: "app[extname]",
        codeSplitting: false,
      },
    },
  },
  server: { proxy: { "/files": server, "/arrays": server } },
  test: { include: ["test/**/*.test.ts"] },
}));
