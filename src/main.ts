console.log("fcgivisor " + process.env.FCGIVISOR_VERSION);
