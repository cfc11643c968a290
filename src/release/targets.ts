// What is released: the machines there are programs for, and which of them each kind of package is made of.

export interface Target {
  /** As in the names of files, and Bun's without its prefix. */
  readonly name: string;
  readonly arch: "x64" | "arm64";
  readonly libc: "glibc" | "musl";
  /** A package cannot know the processor: this is the program for all of its kind. */
  readonly inPackages: boolean;
}

/** The usual x64 program needs AVX2 (2013); the baseline one does not. */
export const TARGETS: readonly Target[] = [
  { name: "linux-x64", arch: "x64", libc: "glibc", inPackages: false },
  { name: "linux-x64-baseline", arch: "x64", libc: "glibc", inPackages: true },
  { name: "linux-arm64", arch: "arm64", libc: "glibc", inPackages: true },
  { name: "linux-x64-musl", arch: "x64", libc: "musl", inPackages: true },
  { name: "linux-arm64-musl", arch: "arm64", libc: "musl", inPackages: true },
];

/** What others call a processor. */
export const ARCH_NAMES = {
  deb: { x64: "amd64", arm64: "arm64" },
  rpm: { x64: "x86_64", arm64: "aarch64" },
  oci: { x64: "amd64", arm64: "arm64" },
} as const;

/** A program that was built. */
export interface Built {
  readonly target: Target;
  readonly path: string;
}

/** What all packages are told of the release. */
export interface Release {
  readonly version: string;
  /** Seconds since 1970: the time of every file in every package. */
  readonly epoch: number;
  /** Where packages go. */
  readonly folder: string;
}
