// The shell functions of packages are imported as text.

declare module "*.sh" {
  const text: string;
  export default text;
}

declare module "*.cjs" {
  const text: string;
  export default text;
}
