// The pages of the manual are imported as text: `import page from "…md" with { type: "text" }`.

declare module "*.md" {
  const text: string;
  export default text;
}

declare module "*.yaml" {
  const text: string;
  export default text;
}
